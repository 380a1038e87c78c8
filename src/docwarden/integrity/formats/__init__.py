"""One module a format: its record, checks and reasons, and what its structure has to be."""
