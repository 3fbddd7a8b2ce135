"""State and messages that replicas share through the state store. Imports the plugin's root modules only."""
