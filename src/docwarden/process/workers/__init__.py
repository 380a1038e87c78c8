"""Several processes on one port: a supervisor starts them, replaces them and speaks for all."""
