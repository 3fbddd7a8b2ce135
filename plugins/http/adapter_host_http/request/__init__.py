"""Compile and build the request of an operation. Imports no other package of this plugin."""
