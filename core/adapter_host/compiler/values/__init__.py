"""The values of an operation: from inputs to arguments, and from responses to outputs. Imports `references`."""
