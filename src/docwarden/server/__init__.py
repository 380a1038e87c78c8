"""HTTP servers: our own on httptools, and uvicorn through ASGI. Both serve a `request.Site`."""
