"""What a rollout takes for a burning error budget, and whom it asks."""

import json
import threading
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import pytest

from docwarden_cloud.error_budget import CloudWatch, Prometheus, Spent
from testkit.moto_cloud import moto_cloud

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.mark.parametrize(
    ("spent", "burns"),
    [
        (Spent(good=0, bad=4), False),
        (Spent(good=0, bad=5), True),
        (Spent(good=400, bad=5), False),
        (Spent(good=300, bad=5), True),
        (Spent(good=0, bad=0), False),
    ],
)
def test_few_failures_are_chance_and_more_are_a_burning_budget(spent, burns):
    assert spent.burns is burns


def test_cloudwatch_counts_since_the_rollout_began():
    with moto_cloud("us-east-2") as aws:
        cloudwatch = aws.client("cloudwatch")
        began = datetime.now(UTC)
        _put(cloudwatch, began)
        assert CloudWatch(cloudwatch, "docwarden-demo").spent(began) == Spent(good=3, bad=7)


def _put(cloudwatch, began: datetime) -> None:
    """Seven documents lost since then, and a hundred before."""
    for age, bad in ((timedelta(minutes=30), 100), (timedelta(0), 7)):
        cloudwatch.put_metric_data(
            Namespace="docwarden-demo",
            MetricData=[
                {"MetricName": "DocumentsBad", "Value": bad, "Timestamp": began - age},
                {"MetricName": "DocumentsGood", "Value": 3, "Timestamp": began - age},
            ],
        )


class Asked(BaseHTTPRequestHandler):
    def log_message(self, *_arguments):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.headers.append(dict(self.headers))  # type: ignore[attr-defined]  # set below
        body = json.dumps({"status": "success", "data": {"result": []}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_amazons_prometheus_is_asked_with_a_signature():
    session = botocore.session.get_session()
    session.set_credentials("key", "secret", "token")
    with ExitStack() as ends:
        server = ends.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Asked))
        server.headers = []  # type: ignore[attr-defined]  # for the handler
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ends.callback(server.shutdown)
        endpoint = f"http://127.0.0.1:{server.server_address[1]}/workspaces/ws-1/"
        spent = Prometheus(endpoint, session, "us-east-2").spent(datetime.now(UTC))
        assert not spent.known
        for headers in server.headers:  # type: ignore[attr-defined]  # likewise
            assert "/us-east-2/aps/aws4_request" in headers["Authorization"]
            assert headers["X-Amz-Security-Token"] == "token"
