"""docwarden: a fail-safe document gateway."""

__version__ = "0.1.0"
