"""From stack outputs to Helm values."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from docwarden_cloud.release import main

CHART = Path(__file__).resolve().parents[2] / "charts" / "docwarden"
DIGEST = f"sha256:{'ab' * 32}"
UPSTREAM = "https://documents.example/{id}"

NETWORK = {"EdgeCidrs": "10.30.0.0/24,10.30.1.0/24", "CollectorCidrs": "10.30.16.0/20"}
DEPLOYED = {
    "docwarden-staging-registry": {
        "RepositoryUri": "123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden",
        "ExportsOutputRefRegistry": "not for people",
    },
    "docwarden-staging-edge": {"TargetGroupArn": "arn:aws:elasticloadbalancing:tg/1"} | NETWORK,
    "docwarden-production-registry": {"RepositoryUri": "of another environment"},
}
STORE = {"docwarden-staging-store": {"StoreCidrs": "10.30.3.0/26", "StorePort": "6379"}}


@pytest.fixture
def ask(tmp_path, capsys):
    def run(
        what: str, *more: str, deployed: dict[str, Any] = DEPLOYED, environment: str = "staging"
    ) -> Any:
        outputs = tmp_path / "outputs.json"
        outputs.write_text(json.dumps(deployed))
        main([what, environment, "--outputs", str(outputs), *more])
        return yaml.safe_load(capsys.readouterr().out)

    return run


def test_values_name_image_by_digest_and_who_may_connect(ask):
    values = ask("values", "--digest", DIGEST, "--upstream-url", UPSTREAM)
    assert values == {
        "image": {
            "repository": "123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden",
            "digest": DIGEST,
        },
        "upstream": {"url": UPSTREAM},
        "networkPolicy": {
            "clients": [
                {"ipBlock": {"cidr": "10.30.0.0/24"}},
                {"ipBlock": {"cidr": "10.30.1.0/24"}},
            ],
            "monitoring": [{"ipBlock": {"cidr": "10.30.16.0/20"}}],
        },
    }


@pytest.mark.parametrize("deployed", [DEPLOYED, DEPLOYED | STORE])
def test_the_charts_schema_takes_the_values(ask, deployed):
    values = ask("values", "--digest", DIGEST, "--upstream-url", UPSTREAM, deployed=deployed)
    merged = yaml.safe_load((CHART / "values.yaml").read_text())
    for key, part in values.items():
        merged[key] = merged[key] | part
    jsonschema.validate(merged, json.loads((CHART / "values.schema.json").read_text()))


def test_a_deployed_store_is_used_by_the_pods(ask):
    values = ask(
        "values", "--digest", DIGEST, "--upstream-url", UPSTREAM, deployed=DEPLOYED | STORE
    )
    assert values["store"] == {"existingSecret": "docwarden-store"}
    assert values["networkPolicy"]["store"] == {
        "peers": [{"ipBlock": {"cidr": "10.30.3.0/26"}}],
        "port": 6379,
    }


def test_binding_sends_the_balancer_to_the_services_pods(ask):
    binding = ask("binding")
    assert binding["kind"] == "TargetGroupBinding"
    assert binding["apiVersion"] == "eks.amazonaws.com/v1"
    assert binding["metadata"] == {"name": "docwarden", "namespace": "docwarden"}
    assert binding["spec"]["targetGroupARN"] == "arn:aws:elasticloadbalancing:tg/1"
    assert binding["spec"]["serviceRef"]["port"] == 80


@pytest.mark.parametrize(
    ("more", "environment", "message"),
    [
        (["--digest", "v1.2.3"], "staging", "is no digest"),
        (["--digest", DIGEST], "production", "no stack of docwarden-production has the output"),
        (["--digest", DIGEST], "nowhere", "holds no outputs of docwarden-nowhere"),
    ],
)
def test_what_is_missing_is_said_with_exit_status_2(ask, capsys, more, environment, message):
    with pytest.raises(SystemExit) as end:
        ask("values", *more, environment=environment)
    assert end.value.code == 2
    assert message in capsys.readouterr().err
