"""Rules, dashboards and the Alertmanager example, generated from one description.

`objectives` states what is promised and when a burnt budget wakes somebody, `causes` what is worth
an alert of its own. Everything in monitoring/generated follows from the two.
"""
