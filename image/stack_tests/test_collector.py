"""The collector of the stack, where its program is at hand: make lint-stack builds it."""

from conftest import WHOLE
from containers import until
from load import get


def test_log_lines_are_sent_to_loki_under_the_dashboards_label(stack):
    assert not WHOLE
    sent = until(
        lambda: (b"process.ready" in (body := get(stack.url("loki", 3100))[2])) and body,
        limit=90,
        what="the line at the listener",
    )
    assert sent.startswith(b"/otlp/v1/logs ")
    assert b"\x03job" in sent
    assert b"docwarden" in sent
