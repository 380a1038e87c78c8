"""Logs, metrics and health of the process."""
