"""Output of commands: escaped text, tables, the output file, the log."""
