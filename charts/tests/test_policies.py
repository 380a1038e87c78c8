"""Policy: checkov's Kubernetes rules, kube-score's list, Pod Security "restricted"."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

DIGEST = "sha256:" + "0" * 64
POD_PATHS = {"Deployment": ("spec", "template"), "Pod": ()}

# (rule, kind, name) -> why it does not apply. One that no longer fires fails the test as well.
SUPPRESSED = {
    ("CKV_K8S_8", "Pod", "r-docwarden-test"): "the test pod runs once, to its end",
    ("CKV_K8S_9", "Pod", "r-docwarden-test"): "the test pod runs once, to its end",
    ("CKV_K8S_35", "Deployment", "r-docwarden"): (
        "settings are read from the environment only; `docwarden config`, logs and the console"
        " mask the store's password"
    ),
}
# Rules that a value file breaks because it turns the feature off.
OPEN_FILES = {"plain", "fixed-replicas-values"}
TURNED_OFF = {name: {"CKV2_K8S_6"} for name in OPEN_FILES}  # network policies
# Pod Security "restricted" knows these kinds of volumes.
VOLUMES = {"configMap", "csi", "emptyDir", "persistentVolumeClaim", "projected", "secret"}


def pods(objects):
    """Return {key: (labels, pod spec)} of everything that makes pods."""
    found = {}
    for key, each in objects.items():
        if key[0] in POD_PATHS:
            at = each
            for part in POD_PATHS[key[0]]:
                at = at[part]
            found[key] = (at["metadata"]["labels"], at["spec"])
    return found


def amount(quantity):
    """Return CPUs or bytes."""
    number, unit = re.fullmatch("([0-9.]+)([A-Za-z]*)", str(quantity)).groups()
    return float(number) * {"": 1, "m": 1e-3, "Mi": 2**20}[unit]


def selects(selector, labels):
    return selector.items() <= labels.items()


@pytest.fixture
def objects(render, values_file):
    return render(values_file)


@pytest.fixture
def deployments(objects):
    return [each for (kind, _), each in objects.items() if kind == "Deployment"]


def checkov(manifests: Path) -> set[tuple[str, str, str]]:
    command = [
        Path(sys.executable).parent / "checkov",
        *("--framework", "kubernetes", "--file", manifests),
        *("--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 50
    found = set()
    for each in report["results"]["failed_checks"]:
        kind, _, name = each["resource"].split(".", 2)
        found.add((each["check_id"], kind, name))
    return found


def test_checkov_finds_nothing_but_what_is_suppressed_with_a_reason(
    template, values_file, tmp_path
):
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text(template(values_file, values={"image": {"digest": DIGEST}}).stdout)
    unexplained = checkov(manifests) - SUPPRESSED.keys()
    assert {rule for rule, _, _ in unexplained} == TURNED_OFF.get(values_file.stem, set())


def test_every_suppression_is_still_needed(template, chart, tmp_path):
    manifests = tmp_path / "manifests.yaml"
    production = chart.parent / "tests/values/production.yaml"
    manifests.write_text(template(production).stdout)
    assert checkov(manifests) >= SUPPRESSED.keys()


# Pod Security Standards, "restricted".


def test_every_pod_is_restricted_in_full(objects):
    for key, (_, spec) in pods(objects).items():
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & spec.keys(), key
        assert spec["securityContext"]["runAsNonRoot"] is True, key
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, key
        kinds = {kind for volume in spec.get("volumes", ()) for kind in volume}
        assert kinds <= {"name"} | VOLUMES, key
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, key
            assert context["privileged"] is False, key
            assert context["capabilities"] == {"drop": ["ALL"]}, key
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}, key
            assert all("hostPort" not in port for port in container.get("ports", ())), key


def test_no_pod_gets_a_token_or_the_addresses_of_its_neighbours(objects):
    for key, (_, spec) in pods(objects).items():
        assert spec["automountServiceAccountToken"] is False, key
        assert spec["enableServiceLinks"] is False, key


def test_a_made_service_account_has_no_token_either(objects):
    for (kind, _), each in objects.items():
        if kind == "ServiceAccount":
            assert each["automountServiceAccountToken"] is False


# kube-score's list, by its names.


def test_no_limit_is_more_than_eight_times_its_request(objects):
    # What a LimitRange's maxLimitRequestRatio asks of every container in the namespace.
    for key, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            for name, limit in container["resources"]["limits"].items():
                request = amount(container["resources"]["requests"][name])
                assert amount(limit) <= 8 * request, (key, name)


def test_every_pod_may_run_where_the_others_may(render, chart):
    production = chart.parent / "tests/values/production.yaml"
    values = {"simulator": {"enabled": True}, "upstream": {"url": ""}}
    placed = ("nodeSelector", "tolerations", "priorityClassName", "imagePullSecrets")
    specs = [spec for _, spec in pods(render(production, values=values)).values()]
    assert len(specs) == 3
    for spec in specs:
        assert {name: spec[name] for name in placed} == {name: specs[0][name] for name in placed}


def test_container_resources_have_requests_and_limits(objects):
    wanted = {"cpu", "memory", "ephemeral-storage"}
    for key, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            assert container["resources"]["requests"].keys() == wanted, key
            assert container["resources"]["limits"].keys() == wanted, key


def test_container_image_tag_is_never_latest_and_never_missing(objects):
    for key, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            name = container["image"].rpartition("/")[2]
            assert "@sha256:" in name or name.partition(":")[2] not in ("", "latest"), key


def test_container_image_is_pulled_each_time_unless_its_digest_says_what_it_is(objects):
    for key, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            known = "@sha256:" in container["image"]
            assert container["imagePullPolicy"] == ("IfNotPresent" if known else "Always"), key


def test_container_security_context_is_a_high_user_on_a_read_only_root(objects):
    for key, (_, spec) in pods(objects).items():
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True, key
            assert context["runAsUser"] > 10_000, key
            assert context["runAsGroup"] > 10_000, key
            assert context["runAsNonRoot"] is True, key


def test_pod_probes_are_there_and_differ(deployments):
    for deployment in deployments:
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            ready, live = container["readinessProbe"], container["livenessProbe"]
            assert ready != live


def test_deployment_has_a_disruption_budget_or_one_replica(objects, deployments, values_file):
    if values_file.stem in OPEN_FILES:  # turned off on purpose
        assert not [key for key in objects if key[0] == "PodDisruptionBudget"]
        return
    budgets = [each for (kind, _), each in objects.items() if kind == "PodDisruptionBudget"]
    for deployment in deployments:
        if deployment["spec"].get("replicas") == 1:
            continue
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert [
            each for each in budgets if selects(each["spec"]["selector"]["matchLabels"], labels)
        ]


def test_deployment_has_host_anti_affinity_of_its_own_pods(deployments):
    for deployment in deployments:
        if deployment["spec"].get("replicas") == 1:
            continue
        template = deployment["spec"]["template"]
        (term,) = template["spec"]["affinity"]["podAntiAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
        selector = term["podAffinityTerm"]["labelSelector"]["matchLabels"]
        assert selects(selector, template["metadata"]["labels"])


def test_deployment_selects_its_own_pods_and_no_other_deployment_s(objects, deployments):
    for deployment in deployments:
        selector = deployment["spec"]["selector"]["matchLabels"]
        selected = [key for key, (labels, _) in pods(objects).items() if selects(selector, labels)]
        assert selected == [("Deployment", deployment["metadata"]["name"])]


def test_pod_network_policies_cover_every_pod_both_ways(objects, values_file):
    policies = [each["spec"] for (kind, _), each in objects.items() if kind == "NetworkPolicy"]
    if values_file.stem in OPEN_FILES:  # turned off on purpose
        assert policies == []
        return
    for key, (labels, _) in pods(objects).items():
        covering = [
            each for each in policies if selects(each["podSelector"]["matchLabels"], labels)
        ]
        assert len(covering) == 1, key
        assert covering[0]["policyTypes"] == ["Ingress", "Egress"], key


def test_network_policy_targets_a_pod(objects):
    every = [labels for labels, _ in pods(objects).values()]
    for (kind, name), each in objects.items():
        if kind == "NetworkPolicy":
            selector = each["spec"]["podSelector"]["matchLabels"]
            assert [labels for labels in every if selects(selector, labels)], name


def test_service_targets_a_pod_on_a_port_that_it_has_and_is_no_node_port(objects):
    for (kind, name), each in objects.items():
        if kind != "Service":
            continue
        assert each["spec"]["type"] in ("ClusterIP", "LoadBalancer"), name
        targeted = [
            spec
            for labels, spec in pods(objects).values()
            if selects(each["spec"]["selector"], labels)
        ]
        assert len(targeted) == 1, name
        names = {port["name"] for port in targeted[0]["containers"][0]["ports"]}
        assert {port["targetPort"] for port in each["spec"]["ports"]} <= names, name


def test_ingress_and_route_target_the_service_for_documents(objects):
    service = objects["Service", "r-docwarden"]["spec"]
    for (kind, _), each in objects.items():
        if kind == "Ingress":
            for rule in each["spec"]["rules"]:
                (path,) = rule["http"]["paths"]
                backend = {"name": "r-docwarden", "port": {"name": service["ports"][0]["name"]}}
                assert path["backend"] == {"service": backend}
        if kind == "HTTPRoute":
            (rule,) = each["spec"]["rules"]
            assert rule["backendRefs"] == [
                {"name": "r-docwarden", "port": service["ports"][0]["port"]}
            ]


def test_scaler_targets_the_deployment(objects):
    deployment = objects["Deployment", "r-docwarden"]
    for each in (each for (kind, _), each in objects.items() if kind == "HorizontalPodAutoscaler"):
        assert each["spec"]["scaleTargetRef"] == {
            "apiVersion": deployment["apiVersion"],
            "kind": "Deployment",
            "name": "r-docwarden",
        }


def test_label_values_are_valid(objects):
    for key, each in objects.items():
        for value in each["metadata"]["labels"].values():
            assert len(value) <= 63, key
            assert value[-1:].isalnum(), key


def test_at_least_two_pods_serve(objects, values_file):
    if values_file.stem == "fixed-replicas-values":  # one on purpose
        return
    deployment = objects["Deployment", "r-docwarden"]["spec"]
    scaler = objects.get(("HorizontalPodAutoscaler", "r-docwarden"), {"spec": {}})["spec"]
    assert deployment.get("replicas", scaler.get("minReplicas")) >= 2
