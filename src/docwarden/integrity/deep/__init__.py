"""Decoding documents in a supervised process of its own."""
