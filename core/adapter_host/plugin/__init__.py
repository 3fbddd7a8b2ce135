"""The plugin API and the discovery of plugins. Imports `operation` and below."""
