"""The `docwarden` command: one module per subcommand."""
