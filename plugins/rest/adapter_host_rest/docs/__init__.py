"""OpenAPI document and documentation page. Imports only the root modules of the plugin."""
