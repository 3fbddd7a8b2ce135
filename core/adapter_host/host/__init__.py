"""Life cycle of served capabilities: load, start, reload, drain, stop. Imports `server` and below."""
