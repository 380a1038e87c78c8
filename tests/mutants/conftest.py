"""The documents of the unit tests, for the mutants."""

from tests.unit.conftest import documents, picture, saved

__all__ = ["documents", "picture", "saved"]
