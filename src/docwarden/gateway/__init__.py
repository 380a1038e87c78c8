"""What clients ask for: documents, and the few pages beside them."""
