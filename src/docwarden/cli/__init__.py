"""The `docwarden` command: one module a subcommand."""
