"""Options of several commands: consumed APIs and exposers, plugins, the host configuration file."""
