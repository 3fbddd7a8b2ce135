"""Operations, inputs, results and calls in flight. Imports `capability` and below."""
