"""The operator's listener: health, metrics, console."""
