"""The JSON Schema of the language, made from the models of the host and its plugins."""
