"""What a rollout has done to the error budget so far, asked of Prometheus or of CloudWatch.

The verdict is pure. Fewer bad documents than a page of ``monitoring/`` wants are no reason to undo
a release, and no figures at all are never good news.
"""

import json
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from docwarden_cloud.environments import SERVICE
from docwarden_cloud.log_queries import BAD_METRIC, GOOD, GOOD_METRIC, UNCOUNTED

if TYPE_CHECKING:
    from botocore.session import Session

BURN = 0.0144
"""14.4 times the budget of 0.1 %: the fastest page of docs/explanation/slo.md."""

FEWEST_BAD = 5
"""As in the same page: a single failure among few requests is chance."""

_TIMEOUT_S = 10


@dataclass(frozen=True)
class Spent:
    """Documents since the rollout began."""

    good: float
    bad: float

    @property
    def known(self) -> bool:
        """Whether anything was counted at all."""
        return self.good + self.bad > 0

    @property
    def burns(self) -> bool:
        """Whether so much is lost that the release has to go."""
        return self.bad >= FEWEST_BAD and self.bad / (self.good + self.bad) > BURN


class BudgetSource(Protocol):
    """Who counts documents."""

    def spent(self, since: datetime) -> Spent:
        """Documents since then.

        Raises:
            OSError: Nobody answered.
        """


class Prometheus:
    """A Prometheus, or a workspace of Amazon's, which wants its requests signed.

    https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-compatible-APIs.html
    """

    def __init__(self, endpoint: str, session: "Session | None" = None, region: str = "") -> None:
        self._url = f"{endpoint.rstrip('/')}/api/v1/query"
        self._session = session
        self._region = region

    def spent(self, since: datetime) -> Spent:
        """Ask for the increase of the counters since then."""
        seconds = max(60, round((datetime.now(UTC) - since).total_seconds()))
        good, uncounted = "|".join(GOOD), "|".join(UNCOUNTED)
        return Spent(
            good=self._increase(f'outcome=~"{good}"', seconds),
            bad=self._increase(f'outcome!~"{good}|{uncounted}"', seconds),
        )

    def _increase(self, outcomes: str, seconds: int) -> float:
        counted = f'docwarden_documents_total{{job="{SERVICE}",{outcomes}}}'
        answer = self._ask(f"sum(increase({counted}[{seconds}s]))")
        return sum(float(series["value"][1]) for series in answer["data"]["result"])

    def _ask(self, query: str) -> dict[str, Any]:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode({"query": query})
        request = AWSRequest(method="POST", url=self._url, data=body, headers=headers)
        if self._session:
            credentials = self._session.get_credentials()
            if credentials is None:
                raise OSError("no AWS credentials to sign the question with")
            SigV4Auth(credentials, "aps", self._region).add_auth(request)
        asked = urllib.request.Request(  # noqa: S310  the stack's output, or the operator's
            self._url, data=body.encode(), headers=dict(request.headers), method="POST"
        )
        with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as answer:  # noqa: S310  likewise
            found: dict[str, Any] = json.load(answer)
        return found


class CloudWatch:
    """The metrics that the environment's stacks count from the log."""

    def __init__(self, cloudwatch: Any, namespace: str) -> None:
        self._cloudwatch = cloudwatch
        self._namespace = namespace

    def spent(self, since: datetime) -> Spent:
        """Ask for the sums since then."""
        return Spent(good=self._sum(GOOD_METRIC, since), bad=self._sum(BAD_METRIC, since))

    def _sum(self, name: str, since: datetime) -> float:
        found = self._cloudwatch.get_metric_statistics(
            Namespace=self._namespace,
            MetricName=name,
            StartTime=since.replace(second=0, microsecond=0),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=60,
            Statistics=["Sum"],
        )
        return sum(float(point["Sum"]) for point in found["Datapoints"])
