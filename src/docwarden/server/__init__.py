"""HTTP servers: our own on httptools, and uvicorn; both serve a `core.request.Handler`."""
