"""docwarden and other gateways side by side: what a document costs each of them."""
