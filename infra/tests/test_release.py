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


def test_values_name_image_by_digest_who_may_connect_and_who_is_believed(ask):
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
        "env": {"DOCWARDEN_TRUSTED_PROXIES": "10.30.0.0/24,10.30.1.0/24"},
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
        (["--digest", DIGEST], "production", "UPSTREAM_URL is empty"),
        (["--digest", DIGEST, "--upstream-url", " "], "staging", "UPSTREAM_URL is ' '"),
        (["--digest", DIGEST, "--upstream-url", "documents"], "staging", "it reads http://host"),
        (
            ["--digest", DIGEST, "--upstream-url", UPSTREAM],
            "production",
            "no stack of docwarden-production has the output",
        ),
        (["--digest", DIGEST], "demo", "holds no outputs of docwarden-demo"),
        (["--digest", DIGEST], "nowhere", "there is no environment 'nowhere'"),
    ],
)
def test_what_is_missing_is_said_with_exit_status_2(ask, capsys, more, environment, message):
    with pytest.raises(SystemExit) as end:
        ask("values", *more, environment=environment)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_simulator_stands_in_where_nothing_is_said_and_the_environment_allows_it(ask):
    values = ask("values", "--digest", DIGEST)
    assert values["simulator"] == {"enabled": True}
    assert "upstream" not in values


def test_a_document_service_of_the_environments_own_is_asked_by_name(ask):
    values = ask("values", "--digest", DIGEST, "--upstream-url", "own")
    assert values["upstream"] == {"url": "http://docwarden-upstream:80/{id}"}
    upstream = values["networkPolicy"]["upstream"]
    assert upstream["port"] == 3000  # the port of its pods: policies see no Service


def own_service(capsys, image: str) -> dict[str, Any]:
    main(["upstream", "demo", "--upstream-image", image])
    return {each["kind"]: each for each in yaml.safe_load_all(capsys.readouterr().out)}


def test_own_document_service_is_pinned_and_restricted(capsys):
    image = f"123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden-upstream@{DIGEST}"
    made = own_service(capsys, image)
    pod = made["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == image
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert made["NetworkPolicy"]["spec"]["egress"] == []
    labels = made["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for selector in (
        made["Service"]["spec"]["selector"],
        made["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        made["Deployment"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector == labels


@pytest.mark.parametrize("image", ["", "docwarden-upstream:latest", "docwarden-upstream"])
def test_own_document_service_by_a_tag_is_refused(capsys, image):
    with pytest.raises(SystemExit) as end:
        own_service(capsys, image)
    assert end.value.code == 2
    assert "is no image by digest" in capsys.readouterr().err


def test_links_are_a_list_for_people(tmp_path, capsys):
    outputs = tmp_path / "outputs.json"
    edge = {"Url": "http://balancer.example/", "EdgeCidrs": "10.0.0.0/24"}
    seen = {"DashboardUrl": "https://console.example/#dashboards"}
    outputs.write_text(json.dumps({"docwarden-demo-edge": edge, "docwarden-demo-seen": seen}))
    main(["links", "demo", "--outputs", str(outputs)])
    assert capsys.readouterr().out == (
        "- Service: <http://balancer.example/>\n"
        "- Dashboard: <https://console.example/#dashboards>\n"
    )
