"""Template text of annotations that names what was measured when the alert fired."""

from docwarden_monitoring.selection import JOB


def dominant(metric: str, label: str, more: str, *, most: int = 1, window: str = "5m") -> str:
    """Return template text that names the commonest values of a label and their shares.

    Of the alert's own installation; nothing where nothing was counted.
    """
    selector = f'{metric}{{{JOB},namespace="%s",{more}}}[${{{window}}}]'
    query = (
        f"topk({most}, sum by ({label}) (increase({selector}))"
        f" / on () group_left () sum(increase({selector})) > 0)"
    )
    return (
        f"{{{{ range $index, $each := printf `{query}` $labels.namespace $labels.namespace"
        " | query }}"
        "{{ if $index }}, {{ end }}"
        f"{{{{ $each.Labels.{label} }}}} {{{{ $each.Value | humanizePercentage }}}}{{{{ end }}}}"
    )


def measured(query: str, text: str) -> str:
    """Return template text about the first value of a query, nothing where it has none.

    Args:
        query: PromQL with one `%s`, for the namespace of the alert.
        text: Template text in which `$value` is that value.
    """
    return (
        f"{{{{ range $index, $each := printf `{query}` $labels.namespace | query }}}}"
        f"{{{{ if eq $index 0 }}}}{{{{ $value := $each.Value }}}}{text}{{{{ end }}}}{{{{ end }}}}"
    )
