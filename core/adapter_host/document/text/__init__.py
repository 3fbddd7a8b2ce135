"""Change YAML text where a value changes, and leave all other characters as they are."""
