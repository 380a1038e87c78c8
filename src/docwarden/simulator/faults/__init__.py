"""What can go wrong with an answer, one module per subject; `table` lists all of them."""
