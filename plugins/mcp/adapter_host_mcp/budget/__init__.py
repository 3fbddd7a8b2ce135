"""Results within a budget: parts of large ones, and the complete ones, held for their callers."""
