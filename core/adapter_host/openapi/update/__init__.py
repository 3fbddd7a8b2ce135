"""Update a capability that was imported and then edited, by a newer document: a three-way merge."""
