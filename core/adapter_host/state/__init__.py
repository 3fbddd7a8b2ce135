"""State of a deployment that outlives a call, in memory or in a server. Imports only modules below all packages."""
