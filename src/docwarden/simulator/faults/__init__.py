"""What can go wrong with an answer, one module a subject; `table` holds them all."""
