"""The official SDK's server: handlers, HTTP and stdio. Imports `features` and below."""
