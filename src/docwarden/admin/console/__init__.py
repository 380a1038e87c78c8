"""The operator console: one page on the admin listener, fed by server-sent events.

It shows what Prometheus would scrape at the moment, what is derived from it over the last minute,
and why requests failed. Nothing is streamed while no page is open.
"""
