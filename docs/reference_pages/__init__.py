"""The reference pages that follow from the code: `make reference` writes them.

Each module makes one page as Markdown; tests/agreement compares the committed pages with them.
"""
