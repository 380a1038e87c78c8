"""Values that cannot be meant are refused with a message that names them."""

import json
import re

import pytest
import yaml

UPSTREAM = {"upstream": {"url": "http://documents:3000/{id}"}}
OPEN = {"#/properties/global"}  # belongs to the parent chart
CLOSED_OFF = {"networkPolicy": {"enabled": False}}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def resources(kind, request, limit):
    return {"resources": {"requests": {kind: request}, "limits": {kind: limit}}}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        # A key that does not exist
        ({"replicas": 3}, "replicas"),
        ({"autoscaling": {"minReplica": 3}}, "minReplica"),
        ({"image": {"tags": "1"}}, "tags"),
        ({"resources": {"limits": {"ephemeralStorage": "1Gi"}}}, "ephemeralStorage"),
        ({"networkPolicy": {"clients": [{"podSelectors": {}}]}}, "podSelectors"),
        ({"tolerations": [{"keys": "a"}]}, "keys"),
        ({"affinity": {"podAntiAffinities": {}}}, "podAntiAffinities"),
        (
            {"affinity": {"podAffinity": {REQUIRED: [{"topologyKeys": "zone"}]}}},
            "topologyKeys",
        ),
        ({"extraEnvFrom": [{"secretReference": {"name": "a"}}]}, "secretReference"),
        ({"extraVolumes": [{"name": "a", "hostPath": {"path": "/"}}]}, "hostPath"),
        ({"extraVolumes": [{"name": "a", "secret": {"name": "b"}}]}, "secretName"),
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes/0/name"),
        ({"extraVolumeMounts": [{"name": "a", "mountPath": "/tmp/a"}]}, "mountPath"),
        ({"extraVolumeMounts": [{"name": "a", "path": "/a"}]}, "path"),
        ({"readinessGates": ["a"]}, "readinessGates/0"),
        ({"certificateAuthority": {"configmap": "a"}}, "configmap"),
        ({"otlpHeaders": {"secret": "a"}}, "secret"),
        ({"podLabels": {"a": 1}}, "podLabels/a"),
        # A setting that is misspelt, decided by another value, or nobody's
        ({"env": {"DOCWARDEN_REQUEST_TIMOUT": "8s"}}, "DOCWARDEN_REQUEST_TIMOUT"),
        ({"env": {"DOCWARDEN_DRAIN_DELAY": "1s"}}, "DOCWARDEN_DRAIN_DELAY"),
        ({"env": {"DOCWARDEN_STORE_URL": "redis://a"}}, "DOCWARDEN_STORE_URL"),
        ({"env": {"LD_PRELOAD": "x"}}, "LD_PRELOAD"),
        ({"env": {"DOCWARDEN_WORKERS": ["2"]}}, "DOCWARDEN_WORKERS"),
        # A wrong type
        ({"replicaCount": "three"}, "replicaCount"),
        ({"autoscaling": {"enabled": "yes"}}, "autoscaling/enabled"),
        ({"ingress": {"hosts": "a.example.com"}}, "ingress/hosts"),
        ({"podAnnotations": {"a": 1}}, "podAnnotations/a"),
        # A wrong value
        ({"upstream": {"url": "documents:3000"}}, "upstream/url"),
        ({"upstream": {"url": "http://user:word@documents/{id}"}}, "upstream/url"),
        ({"image": {"tag": "latest"}}, "image/tag"),
        ({"image": {"digest": "sha256:abc"}}, "image/digest"),
        ({"image": {"repository": "docwarden@sha256"}}, "image/repository"),
        ({"service": {"type": "NodePort"}}, "service/type"),
        ({"service": {"port": 70000}}, "service/port"),
        ({"store": {"url": "memcached://a"}}, "store/url"),
        ({"resources": {"limits": {"memory": "512MB"}}}, "limits/memory"),
        ({"resources": {"limits": {"memory": "512m"}}}, "limits/memory"),
        ({"resources": {"limits": {"memory": "0.5"}}}, "limits/memory"),
        ({"resources": {"limits": {"memory": 0.5}}}, "limits/memory"),
        ({"resources": {"limits": {"ephemeral-storage": "256m"}}}, "limits/ephemeral-storage"),
        ({"resources": {"requests": {"cpu": 0}}}, "requests/cpu"),
        ({"resources": {"requests": {"cpu": "0.0"}}}, "requests/cpu"),
        ({"resources": {"requests": {"cpu": "250Mi"}}}, "requests/cpu"),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "maxUnavailable"),
        ({"tests": {"documentIds": ["007"]}}, "documentIds/0"),
        ({"tests": {"documentIds": []}}, "documentIds"),
        (
            {"serviceMonitor": {"enabled": True, "interval": "10m"}},
            "serviceMonitor.interval is 10m",
        ),
        ({"serviceMonitor": {"enabled": True, "interval": "61s"}}, "at most 1m"),
        ({"serviceMonitor": {"enabled": True, "interval": "60001ms"}}, "at most 1m"),
        ({"serviceMonitor": {"enabled": True, "interval": f"{10**30}s"}}, "at most 1m"),
        # Values that contradict each other
        ({"upstream": {"url": ""}}, "upstream.url is empty"),
        ({"simulator": {"enabled": True}}, "simulator.enabled"),
        ({"store": {"url": "redis://a", "existingSecret": "b"}}, "store.existingSecret"),
        ({"drain": {"delaySeconds": 30}}, "drain.gracePeriodSeconds is 45"),
        ({"drain": {"gracePeriodSeconds": 34}}, "at least 35"),
        ({"autoscaling": {"minReplicas": 11}}, "autoscaling.minReplicas (11)"),
        (
            {"resources": {"limits": {"memory": "256Mi"}}},
            "resources.requests.memory (512Mi) is above resources.limits.memory (256Mi)",
        ),
        (
            {"resources": {"requests": {"cpu": 2.5}}},
            "resources.requests.cpu (2.5) is above resources.limits.cpu (2)",
        ),
        (
            {"resources": {"requests": {"cpu": None}}},
            "autoscaling.enabled needs resources.requests.cpu",
        ),
        (
            {"autoscaling": {"targetCPUUtilization": 801}},
            "autoscaling.targetCPUUtilization is 801",
        ),
        (
            {**resources("cpu", 1, "1500m"), "autoscaling": {"targetCPUUtilization": 151}},
            "at most 150",
        ),
        ({"ingress": {"enabled": True}, **CLOSED_OFF}, "ingress.hosts"),
        ({"httpRoute": {"enabled": True}, **CLOSED_OFF}, "httpRoute.parentRefs"),
        (
            {"ingress": {"enabled": True, "hosts": ["a.example.com"]}},
            "ingress.enabled needs networkPolicy.clients",
        ),
        (
            {"httpRoute": {"enabled": True, "parentRefs": [{"name": "edge"}]}},
            "httpRoute.enabled needs networkPolicy.clients",
        ),
        (
            {"service": {"type": "LoadBalancer"}},
            "service.type=LoadBalancer needs networkPolicy.clients",
        ),
        (
            {"tests": {"resources": {"requests": {"cpu": 2}}}},
            "tests.resources.requests.cpu (2) is above tests.resources.limits.cpu (1)",
        ),
        (
            {"certificateAuthority": {"configMap": "a", "secret": "b"}},
            "certificateAuthority.configMap and certificateAuthority.secret",
        ),
        (
            {
                "otlpHeaders": {"existingSecret": "a"},
                "env": {"OTEL_EXPORTER_OTLP_HEADERS": "b"},
            },
            "otlpHeaders.existingSecret and env.OTEL_EXPORTER_OTLP_HEADERS",
        ),
        (
            {"extraVolumeMounts": [{"name": "a", "mountPath": "/etc/a"}]},
            "extraVolumeMounts names the volume a",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(template, values, named):
    done = template(values={**UPSTREAM, **values})
    assert done.returncode != 0
    assert named in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (
            {"podAnnotations": {"checksum/config": "a"}},
            "podAnnotations names checksum/config",
        ),
        (
            {"podAnnotations": {"kubectl.kubernetes.io/default-container": "a"}},
            "podAnnotations names kubectl.kubernetes.io/default-container",
        ),
        (
            {"podAnnotations": {"checksum/store": "a"}, "store": {"url": "redis://redis"}},
            "podAnnotations names checksum/store",
        ),
        (
            {"podLabels": {"app.kubernetes.io/component": "a"}},
            "podLabels names app.kubernetes.io/component",
        ),
        (
            {"commonLabels": {"helm.sh/chart": "a"}},
            "commonLabels names helm.sh/chart",
        ),
        (
            {"serviceMonitor": {"enabled": True, "labels": {"app.kubernetes.io/name": "a"}}},
            "serviceMonitor.labels names app.kubernetes.io/name",
        ),
        (
            {"prometheusRule": {"enabled": True, "labels": {"app.kubernetes.io/instance": "a"}}},
            "prometheusRule.labels names app.kubernetes.io/instance",
        ),
        (
            {"dashboards": {"enabled": True, "labels": {"helm.sh/chart": "a"}}},
            "dashboards.labels names helm.sh/chart",
        ),
    ],
)
def test_what_the_chart_says_itself_is_not_said_twice(template, values, named):
    done = template(values={**UPSTREAM, **values})
    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize("release", ["1r.x", "1r", "r.x", "1-docwarden", "r.docwarden"])
def test_a_release_whose_name_no_service_may_have_is_refused(helm, chart, release):
    options = ("--set=simulator.enabled=true",)
    done = helm("template", release, chart, *options)
    assert done.returncode != 0
    assert f"the release's name {release} " in done.stderr
    assert "fullnameOverride" in done.stderr
    assert done.stdout == ""
    renamed = helm("template", release, chart, *options, "--set=fullnameOverride=gate")
    assert renamed.returncode == 0, renamed.stderr


@pytest.mark.parametrize("release", ["r", "r-1", "docwarden", "a" * 53, f"{'a' * 50}--b"])
def test_a_release_may_have_any_name_that_a_service_may_have(helm, chart, release):
    done = helm("template", release, chart, "--set=simulator.enabled=true")
    assert done.returncode == 0, done.stderr
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    names = [each["metadata"]["name"] for each in objects if each["kind"] == "Service"]
    assert len(names) == 3
    assert [
        name for name in names if not re.fullmatch("[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)
    ] == []


def test_the_grace_period_may_be_exactly_what_is_needed(template):
    assert template(values={**UPSTREAM, "drain": {"gracePeriodSeconds": 35}}).returncode == 0


@pytest.mark.parametrize(
    ("kind", "least", "more"),
    [
        ("cpu", "2000m", "2001m"),
        ("cpu", 2, "2.001"),
        ("cpu", "0.1", "101m"),
        ("cpu", 0.1, 0.101),
        ("memory", "1024Mi", "1.1Gi"),
        ("memory", "1000Ki", "1025k"),
        ("memory", 1073741824, "1073741825"),
        ("memory", "1G", "954Mi"),
        ("memory", "0.5Ti", "550G"),
        ("memory", "1T", "1Ti"),
        ("ephemeral-storage", "64M", "64Mi"),
    ],
)
def test_a_request_may_be_its_limit_and_not_more(template, kind, least, more):
    def rendered(request, limit):
        return template(values={**UPSTREAM, **resources(kind, request, limit)})

    assert rendered(least, least).returncode == 0
    assert rendered(least, more).returncode == 0
    assert f"resources.requests.{kind} (" in rendered(more, least).stderr


@pytest.mark.parametrize("kind", ["cpu", "memory", "ephemeral-storage"])
def test_without_a_limit_a_request_may_be_any(template, kind):
    values = {**UPSTREAM, **resources(kind, "5000000", None)}
    assert template(values=values).returncode == 0


def test_the_chart_can_be_a_dependency_whose_parent_passes_global_values(template):
    done = template(values={**UPSTREAM, "global": {"anything": {"goes": 1}}})
    assert done.returncode == 0, done.stderr


def objects_in(node, at="#"):
    """Yield (where, schema) for every object in the schema."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield at, node
        for key, each in node.items():
            yield from objects_in(each, f"{at}/{key}")
    if isinstance(node, list):
        for index, each in enumerate(node):
            yield from objects_in(each, f"{at}/{index}")


def test_no_object_in_the_schema_takes_unknown_keys(chart):
    schema = json.loads((chart / "values.schema.json").read_text())
    found = dict(objects_in(schema))
    assert len(found) > 25
    for at, each in found.items():
        if at not in OPEN:
            more = each["additionalProperties"]
            # Maps such as labels take any key, and only text or quantities as their values.
            assert more is False or more.get("type") == "string", at
