"""Convert parameters and bodies to inputs. Imports `schema` and below, and the model."""
