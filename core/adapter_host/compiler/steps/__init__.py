"""Compile operations with steps: order, scope and mappings. Imports the modules of the compiler without steps."""
