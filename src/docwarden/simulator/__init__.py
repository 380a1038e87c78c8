"""The faulty upstream: serves documents, some of them broken, and fails in configurable ways."""
