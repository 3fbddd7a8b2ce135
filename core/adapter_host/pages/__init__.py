"""HTML pages for people: their frame with its security headers, and the files that browsers load. Imports nothing."""
