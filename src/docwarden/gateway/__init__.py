"""The public side: documents, a few pages, and the request log."""
