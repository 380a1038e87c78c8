"""Proof that bytes are an intact document: sniffing, structure walks and deep checks.

`verifier.Verifier` is the entry point; `verdict` has the types that the rest of docwarden uses.
Nothing here trusts its input, and nothing but `verifier` and `deep` does any I/O.
"""
