"""Names of the series that recording rules write."""

from typing import Final

RATIO: Final = "docwarden:slo_errors:ratio_rate"
"""Share of bad events; the window follows, unscaled: `docwarden:slo_errors:ratio_rate5m`."""

ERRORS: Final = "docwarden:slo_errors:rate5m"
REQUESTS: Final = "docwarden:slo_requests:rate5m"
BUDGET: Final = "docwarden:slo_error_budget:remaining_ratio"
