"""Routes that pass requests through to a consumed API. Imports the plugin's root modules only."""
