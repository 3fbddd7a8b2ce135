"""Operations of several steps: order, scope and mappings. Imports the compiler's modules that know no steps."""
