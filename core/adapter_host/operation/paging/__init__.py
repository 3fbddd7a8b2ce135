"""Read the pages of a list from a consumed API: the forms of pages, the bounds, and the merged result."""
