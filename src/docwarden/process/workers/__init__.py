"""Several processes on one port: a supervisor starts and replaces them, and answers operators."""
