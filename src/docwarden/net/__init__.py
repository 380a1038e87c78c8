"""Bytes on their way, whoever sends them: batches of writes, heads, units, memory."""
