"""Templates and JSONPath. Imports the ground modules only."""
