"""A rollout, with moto for AWS, a real Prometheus, real HTTP, and a helm that takes notes."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

from docwarden_cloud.rollout import main
from testkit.programs import Programs
from testkit.prometheus import running_prometheus

DIGEST = f"sha256:{'ab' * 32}"

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


class Service(ThreadingHTTPServer):
    """Answers documents, and counts them as the gateway's /metrics does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.broken = False
        self.counts = {"delivered": 0, "corrupt": 0}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Service

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        if self.path == "/metrics":
            body = "".join(
                f'docwarden_documents_total{{outcome="{outcome}"}} {number}\n'
                for outcome, number in self.server.counts.items()
            ).encode()
            self.answer(200, "text/plain; version=0.0.4", body)
        elif self.server.broken:
            self.server.counts["corrupt"] += 1
            self.answer(502, "application/problem+json", b"{}")
        else:
            self.server.counts["delivered"] += 1
            self.answer(200, "application/pdf", b"%PDF-1.7 ...")

    def answer(self, status: int, media_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def service():
    with Service() as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def tools(tmp_path):
    """Stand-ins for the programs that talk to a cluster."""
    made = Programs.within(tmp_path)
    made.script("aws")
    # What smoke.sh asks for: the images of the pods.
    made.script(
        "kubectl", f'[[ $1 == apply ]] && cat >/dev/null\necho "registry/docwarden@{DIGEST}"'
    )
    history = json.dumps(
        [
            {"revision": 6, "status": "superseded"},
            {"revision": 7, "status": "deployed"},
            {"revision": 8, "status": "failed"},
        ]
    )
    made.script(
        "helm",
        f"[[ $1 == history ]] && echo '{history}'\n[[ $1 == upgrade ]] && cat >/dev/null\nexit 0",
    )
    return made


def outputs_of(cloud, service, *, registered: bool = True) -> None:
    """Stacks with the outputs that a rollout reads, and a target group with a healthy target."""
    ec2, elb = cloud.client("ec2"), cloud.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = elb.create_target_group(
        Name="docwarden-demo", Protocol="HTTP", Port=8080, VpcId=vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    if registered:
        elb.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.9.0.7", "Port": 8080}])
    outputs = {
        "RepositoryUri": "123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden",
        "TargetGroupArn": group,
        "Url": f"http://{service.address}/",
        "EdgeCidrs": "10.9.0.0/24",
        "CollectorCidrs": "10.9.16.0/20",
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloud.client("cloudformation").create_stack(
        StackName="docwarden-demo-edge", TemplateBody=json.dumps(template)
    )


class Ended(NamedTuple):
    status: int
    stdout: str
    stderr: str


@pytest.fixture
def roll_out(tools, aws, monkeypatch, capfd):
    monkeypatch.setenv("PATH", f"{tools.folder}:{os.environ['PATH']}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def run(*arguments: str, environment: str = "demo") -> Ended:
        given = [environment, f"--digest={DIGEST}", "--region=us-east-2"]
        try:
            status = main([*given, "--every=0.2", "--patience=1", *arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        return Ended(status, *capfd.readouterr())

    return run


@pytest.fixture
def prometheus(service, tmp_path):
    with running_prometheus(service.address, tmp_path) as address:
        yield address


def test_a_good_release_stays(roll_out, tools, aws, service, prometheus):
    outputs_of(aws, service)
    ended = roll_out(f"--prometheus={prometheus}", "--watch=8")
    assert ended.status == 0, ended.stdout + ended.stderr
    helm = [call for call in tools.noted() if call.startswith("helm")]
    assert [call.split()[1] for call in helm] == ["history", "upgrade", "test"]
    assert "--rollback-on-failure" in helm[1]
    assert f"holds in demo: http://{service.address}/" in ended.stdout


def test_a_burning_budget_brings_the_release_before_back(roll_out, tools, aws, service, prometheus):
    outputs_of(aws, service)
    # Documents that somebody else asks for fail; those that the rollout fetches arrive.
    stop = threading.Event()

    def spoil():
        while not stop.wait(0.05):
            service.counts["corrupt"] += 5

    spoiler = threading.Thread(target=spoil)
    spoiler.start()
    try:
        ended = roll_out(f"--prometheus={prometheus}", "--watch=60")
    finally:
        stop.set()
        spoiler.join()
    assert ended.status == 1
    assert "by the gateway's count" in ended.stderr
    assert tools.noted()[-1] == (
        "helm rollback docwarden 7 --wait --timeout 10m --namespace docwarden"
    )


def test_documents_that_do_not_arrive_from_outside_bring_it_back(
    roll_out, tools, aws, service, prometheus
):
    outputs_of(aws, service)
    tools.script("curl", "printf %%PDF- >build/document; echo '200 application/pdf'")
    service.broken = True
    ended = roll_out(f"--prometheus={prometheus}", "--watch=60")
    assert ended.status == 1
    assert "documents were not delivered" in ended.stderr
    assert tools.noted()[-1].startswith("helm rollback docwarden 7")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("helm test", "helm test"),
        ("targets", "targets: targets are not registered"),
        ("smoke", "smoke"),
        ("no figures", "error budget: no documents were counted"),
    ],
)
def test_each_check_that_fails_brings_the_release_before_back(
    roll_out, tools, aws, service, broken, said
):
    outputs_of(aws, service, registered=broken != "targets")
    if broken == "helm test":
        helm = (tools.folder / "helm").read_text()
        (tools.folder / "helm").write_text(helm.replace("exit 0", "[[ $1 != test ]]"))
    if broken == "smoke":
        tools.script("kubectl", "[[ $1 == apply ]] && cat >/dev/null\necho registry/docwarden@old")
    ended = roll_out("--watch=1")  # without a Prometheus CloudWatch is asked, which holds nothing
    assert ended.status == 1
    assert f"The release failed its checks. {said}" in ended.stderr, ended.stderr
    assert tools.noted()[-1].startswith("helm rollback docwarden 7")


def test_a_first_release_that_does_not_hold_is_said_and_left(roll_out, tools, aws, service):
    outputs_of(aws, service, registered=False)
    helm = (tools.folder / "helm").read_text()
    (tools.folder / "helm").write_text(
        helm.replace("[[ $1 == history ]]", "[[ $1 == history ]] && exit 1")
    )
    ended = roll_out("--watch=1")
    assert ended.status == 1
    assert "no previous one to restore" in ended.stdout
    assert not [call for call in tools.noted() if call.startswith("helm rollback")]


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((), "production", "UPSTREAM_URL is empty"),
        (("--upstream-url=own",), "demo", "is no image by digest"),
        ((), "nowhere", "there is no environment"),
        ((), "demo", "no stack docwarden-demo-*"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_changed(
    roll_out, tools, arguments, environment, said
):
    ended = roll_out(*arguments, environment=environment)
    assert ended.status == 2
    assert said in ended.stderr
    assert tools.noted() == []
