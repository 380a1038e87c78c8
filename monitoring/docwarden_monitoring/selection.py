"""Which series are meant, and by what they are told apart."""

from typing import Final

JOB: Final = 'job="docwarden"'
"""Selects the gateway's targets; the chart's ServiceMonitor gives every release this job."""

BY: Final = "by (namespace, job)"
"""One verdict per installation. Without Kubernetes there is no namespace, and the job suffices."""
