"""Proof that bytes are an intact document: sniffing, structure walks and deep checks.

`verifier.Verifier` is the way in; `verdict` holds the words that the rest of docwarden uses.
Nothing here trusts its input, and nothing but `verifier` and `deep` does any I/O.
"""
