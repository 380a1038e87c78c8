"""The policies that keep requests bounded while the upstream is failing.

Each module is one policy and only decides: time, randomness and values are passed in.
docs/explanation/resilience.md has their order, their values and where those come from.
"""
