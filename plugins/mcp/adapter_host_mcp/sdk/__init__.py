"""The server on the official SDK: handlers, HTTP and stdio. Imports `features` and below."""
