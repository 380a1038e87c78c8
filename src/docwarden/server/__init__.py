"""The HTTP server: it serves a `core.request.Handler` on httptools."""
