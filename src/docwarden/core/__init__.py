"""The vocabulary that all layers share: requests, documents, deadlines, failures, responses."""
