"""Questions to the log that every environment has saved, in the language of Logs Insights.

``docs/how-to/query-logs.md`` shows the same ones; a test compares them.
"""

QUERIES = {
    "failures by reason": """\
filter ispresent(`log_processed.error.type`)
| stats count(*) as failures by `log_processed.error.type`, `log_processed.reason`
| sort failures desc
| limit 20""",
    "outcomes over time": """\
filter `log_processed.event.name` = "request.ended"
| stats count(*) by bin(1m), `log_processed.outcome`""",
    "where the time goes": """\
filter `log_processed.outcome` = "delivered"
| stats pct(`log_processed.total_ms`, 99) as total, pct(`log_processed.upstream_ms`, 99) as upstream, pct(`log_processed.verify_ms`, 99) as verify by bin(5m)""",  # noqa: E501  one clause
    "ids that fail most": """\
filter `log_processed.error.type` = "document-corrupt"
| stats count(*) as failures by `log_processed.document_id`, `log_processed.reason`
| sort failures desc
| limit 20""",
    "one request": """\
fields @timestamp, @message
| filter `log_processed.request_id` = "482ffe0d1e3a2f080acde17f3665fd90\"""",
}
"""Name to query. Fields lie under ``log_processed``, where Fluent Bit of the add-on puts them."""

LATEST_FAILURES = """\
fields @timestamp, `log_processed.document_id`, `log_processed.error.type`, `log_processed.reason`, `log_processed.request_id`
| filter ispresent(`log_processed.error.type`)
| sort @timestamp desc
| limit 50"""  # noqa: E501  one clause
"""The log panel of the dashboard."""

GOOD = ("delivered", "delivered_stale", "not_modified", "not_found")
UNCOUNTED = ("client_closed",)
"""Outcomes by the service level indicator; every other one is bad."""


GOOD_METRIC, BAD_METRIC = "DocumentsGood", "DocumentsBad"
MILLISECONDS_METRIC = "DeliveryMilliseconds"
"""Metrics that CloudWatch counts from the log; their namespace is the environment's prefix."""


def outcome_pattern(*, good: bool) -> str:
    """Filter pattern for metric filters: requests for documents that ended well, or badly.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/matching-terms-json-log-events.html
    """
    field = "$.log_processed.outcome"
    if good:
        return "{ " + " || ".join(f'({field} = "{each}")' for each in GOOD) + " }"
    excluded = " && ".join(f'({field} != "{each}")' for each in (*GOOD, *UNCOUNTED))
    # A field that is not there would differ from everything.
    return "{ (" + f'{field} = "*") && {excluded}' + " }"
