"""Every setting, read once at the entry point."""
