"""What the tests know of the official schemas, which are read from beside the repository."""
