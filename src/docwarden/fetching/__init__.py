"""Getting one intact document under every policy."""
