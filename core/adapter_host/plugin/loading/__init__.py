"""Find the installed plugins, register what they bring, and look it up by type."""
