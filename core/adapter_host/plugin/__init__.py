"""The contract with plugins, and the loading of plugins. Imports `operation` and below.

Adapters derive from the classes in `consumer`, `exposer` and `step_type`, and are built with a `context`; `hookspecs`
has the hooks. The modules `client_*`, `files`, `listening`, `snapshots` and `curl` are tools for adapters.
"""
