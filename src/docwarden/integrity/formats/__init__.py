"""One module per format: its record, checks, reasons and structure walk."""
