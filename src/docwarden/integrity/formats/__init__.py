"""One module a format: what its structure has to be."""
