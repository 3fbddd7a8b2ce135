"""The typed models of a capability. Imports `binds`, `document` and below."""
