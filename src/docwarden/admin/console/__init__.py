"""The operator console: one page on the admin listener, fed by server-sent events.

It shows what Prometheus would scrape at the same moment, what is derived from it over the last
minute, and why requests failed. Nothing is sampled while nobody looks.
"""
