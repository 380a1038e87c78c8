"""Explains what the gateway does with one document, which is fetched but not delivered.

The command `docwarden explain` and the operator's pages use it.
"""
