"""What the gateway makes of one document: fetched by its own code, delivered to nobody.

The command `docwarden explain` and the operator's pages ask here.
"""
