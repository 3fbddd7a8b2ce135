"""Tools, resources, prompts and completion. Imports the plugin's root modules only."""
