"""PromQL of the dashboards, over the processes that their variables select."""

from typing import Final

INSTALLATIONS: Final = 'job=~"$job",namespace=~"$namespace"'
"""Label matchers that follow the dashboard's variables, for series without a process."""

SELECTED: Final = f'{INSTALLATIONS},instance=~"$instance"'
"""Label matchers that follow all of the dashboard's variables."""


def quantile(share: float, metric: str, matchers: str, by: str = "") -> str:
    """Return the quantile of a histogram, by the labels named."""
    labels = f"le, {by}" if by else "le"
    return (
        f"histogram_quantile({share}, sum by ({labels})"
        f" (rate({metric}_bucket{{{matchers}}}[$__rate_interval])))"
    )


def rate(metric: str, by: str = "", more: str = "") -> str:
    """Return the summed rate of a counter of the selected processes."""
    matchers = f"{SELECTED},{more}" if more else SELECTED
    over = f" by ({by})" if by else ""
    return f"sum{over} (rate({metric}{{{matchers}}}[$__rate_interval]))"


def level(metric: str, by: str = "", more: str = "") -> str:
    """Return the sum of a gauge over the selected processes."""
    matchers = f"{SELECTED},{more}" if more else SELECTED
    over = f" by ({by})" if by else ""
    return f"sum{over} ({metric}{{{matchers}}})"
