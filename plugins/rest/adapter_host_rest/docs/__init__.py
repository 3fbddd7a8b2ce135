"""The OpenAPI document and its page. Imports the plugin's root modules only."""
