"""Fetching from the upstream: its origin, connections to it, and the pool that keeps them."""
