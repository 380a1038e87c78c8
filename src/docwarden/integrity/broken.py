"""The exception that ends a structure walk."""

from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.verdict import Finding


class BrokenError(Exception):
    """The bytes do not have the structure of their format.

    Attributes:
        finding: What is wrong.
    """

    def __init__(self, reason: ReasonSet, detail: str) -> None:
        super().__init__(reason, detail)
        self.finding = Finding.of(reason, detail)
