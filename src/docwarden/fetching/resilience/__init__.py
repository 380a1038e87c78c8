"""The policies that keep a request bounded when the upstream is not well.

Each module is one policy and decides only: time, randomness and values are passed in.
docs/explanation/resilience.md tells their order, their values and where those come from.
"""
