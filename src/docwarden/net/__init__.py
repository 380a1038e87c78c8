"""What clients and the upstream share: batched writes, message heads, units, memory."""
