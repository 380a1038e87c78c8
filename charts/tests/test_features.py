"""Each feature on and off, and what it looks like when on."""

import kubernetes_validate
import pytest
import yaml

GATEWAY = {
    "app.kubernetes.io/name": "docwarden",
    "app.kubernetes.io/instance": "r",
    "app.kubernetes.io/component": "gateway",
}
LET_IN = {
    "clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}]
}
DNS_RULE = {
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    "to": [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
}


def kinds(objects):
    return {kind for kind, _ in objects}


def pod(objects, name="r-docwarden"):
    return objects["Deployment", name]["spec"]["template"]


def container(objects, name="r-docwarden"):
    (only,) = pod(objects, name)["spec"]["containers"]
    return only


def settings(objects):
    return objects["ConfigMap", "r-docwarden"]["data"]


@pytest.fixture
def external(render):
    """Return a function that renders with an upstream elsewhere and `values`."""
    return lambda **values: render(
        values={"upstream": {"url": "http://documents.example.com:3000/{id}"}, **values}
    )


@pytest.mark.parametrize(
    ("kind", "off", "on"),
    [
        (
            "HorizontalPodAutoscaler",
            {"autoscaling": {"enabled": False}},
            {"autoscaling": {"enabled": True}},
        ),
        (
            "PodDisruptionBudget",
            {"podDisruptionBudget": {"enabled": False}},
            {"podDisruptionBudget": {"enabled": True}},
        ),
        (
            "NetworkPolicy",
            {"networkPolicy": {"enabled": False}},
            {"networkPolicy": {"enabled": True}},
        ),
        (
            "ServiceAccount",
            {"serviceAccount": {"create": False}},
            {"serviceAccount": {"create": True}},
        ),
        ("Secret", {}, {"store": {"url": "redis://redis:6379/0"}}),
        (
            "Ingress",
            {},
            {
                "ingress": {"enabled": True, "hosts": ["a.example.com"]},
                "networkPolicy": LET_IN,
            },
        ),
        (
            "HTTPRoute",
            {},
            {
                "httpRoute": {"enabled": True, "parentRefs": [{"name": "edge"}]},
                "networkPolicy": LET_IN,
            },
        ),
        ("ServiceMonitor", {}, {"serviceMonitor": {"enabled": True}}),
        ("PrometheusRule", {}, {"prometheusRule": {"enabled": True}}),
    ],
)
def test_a_feature_is_there_when_on_and_absent_when_off(external, kind, off, on):
    assert kind not in kinds(external(**off))
    assert kind in kinds(external(**on))


def test_the_default_makes_exactly_these_objects(external):
    assert set(external()) == {
        ("ConfigMap", "r-docwarden"),
        ("Deployment", "r-docwarden"),
        ("HorizontalPodAutoscaler", "r-docwarden"),
        ("NetworkPolicy", "r-docwarden"),
        ("NetworkPolicy", "r-docwarden-test"),
        ("Pod", "r-docwarden-test"),
        ("PodDisruptionBudget", "r-docwarden"),
        ("Service", "r-docwarden"),
        ("Service", "r-docwarden-metrics"),
        ("ServiceAccount", "r-docwarden"),
    }


# Names and image


def test_full_name_override_renames_every_object(simulated):
    for kind, name in simulated(fullnameOverride="gate"):
        assert name == "gate" or name.startswith("gate-"), kind


def test_a_digest_wins_over_a_tag(external):
    digest = "sha256:" + "a" * 64
    image = {"repository": "registry.example.com/docwarden", "tag": "1.2.3", "digest": digest}
    assert container(external(image=image))["image"] == f"registry.example.com/docwarden@{digest}"
    del image["digest"]
    assert container(external(image=image))["image"] == "registry.example.com/docwarden:1.2.3"


def test_pull_secrets_reach_every_pod(simulated):
    objects = simulated(image={"pullSecrets": ["registry"]})
    for name in ("r-docwarden", "r-docwarden-simulator"):
        assert pod(objects, name)["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert objects["Pod", "r-docwarden-test"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_name_override_renames_and_relabels_and_the_rules_still_find_their_job(external):
    objects = external(nameOverride="gate", serviceMonitor={"enabled": True})
    assert ("Deployment", "r-gate") in objects
    service = objects["Service", "r-gate-metrics"]["metadata"]["labels"]
    assert service["app.kubernetes.io/name"] == "gate"
    assert service[objects["ServiceMonitor", "r-gate"]["spec"]["jobLabel"]] == "docwarden"


def test_common_labels_are_on_every_object_and_in_no_selector(simulated):
    on = {"enabled": True}
    objects = simulated(
        commonLabels={"release": "prometheus"},
        serviceMonitor={**on, "labels": {"release": "other"}},
        prometheusRule=on,
        dashboards=on,
        store={"url": "redis://redis"},
    )
    assert len(objects) > 15
    for (kind, _), each in objects.items():
        wanted = "other" if kind == "ServiceMonitor" else "prometheus"
        assert each["metadata"]["labels"]["release"] == wanted, kind
    assert "release" not in pod(objects)["metadata"]["labels"]
    same = simulated()["Deployment", "r-docwarden"]["spec"]
    same["template"]["metadata"]["annotations"] |= {
        "checksum/store": pod(objects)["metadata"]["annotations"]["checksum/store"]
    }
    assert objects["Deployment", "r-docwarden"]["spec"]["selector"] == same["selector"]
    assert pod(objects)["metadata"] == same["template"]["metadata"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ({}, "Always"),
        ({"digest": "sha256:" + "a" * 64}, "IfNotPresent"),
        ({"digest": "sha256:" + "a" * 64, "pullPolicy": "Always"}, "Always"),
        ({"tag": "1.2.3", "pullPolicy": "Never"}, "Never"),
    ],
)
def test_a_registry_is_asked_for_tags_only_unless_said_otherwise(simulated, image, policy):
    objects = simulated(image=image)
    for name in ("r-docwarden", "r-docwarden-simulator"):
        assert container(objects, name)["imagePullPolicy"] == policy


# Settings


def test_settings_from_elsewhere_come_before_the_chart_s_own_which_win(external):
    own = {"secretRef": {"name": "more", "optional": True}}
    assert container(external(extraEnvFrom=[own]))["envFrom"] == [
        own,
        {"configMapRef": {"name": "r-docwarden"}},
    ]


@pytest.mark.parametrize(
    ("said", "volume"),
    [
        ({"configMap": "company"}, {"configMap": {"name": "company"}}),
        ({"secret": "company", "key": "all.pem"}, {"secret": {"secretName": "company"}}),
    ],
)
def test_authorities_of_one_s_own_are_what_the_process_trusts(external, said, volume):
    objects = external(certificateAuthority=said)
    folder = "/etc/docwarden/certificate-authority"
    name = "certificate-authority"
    assert pod(objects)["spec"]["volumes"][1:] == [{"name": name, **volume}]
    assert container(objects)["volumeMounts"][1:] == [
        {"name": name, "mountPath": folder, "readOnly": True}
    ]
    assert container(objects)["env"] == [
        {"name": "SSL_CERT_FILE", "value": f"{folder}/{said.get('key', 'ca.crt')}"}
    ]
    assert "env" not in container(external())


def test_the_collector_s_headers_come_from_a_secret(external):
    (variable,) = container(external(otlpHeaders={"existingSecret": "collector"}))["env"]
    assert variable == {
        "name": "OTEL_EXPORTER_OTLP_HEADERS",
        "valueFrom": {"secretKeyRef": {"name": "collector", "key": "OTEL_EXPORTER_OTLP_HEADERS"}},
    }


def test_settings_are_text_whatever_they_are_written_as(external):
    env = {
        "DOCWARDEN_MAX_DOCUMENT_BYTES": 33554432,
        "DOCWARDEN_HEDGING": True,
        "DOCWARDEN_LOG_SUCCESS_SHARE": 0.25,
        "DOCWARDEN_REQUEST_TIMEOUT": "8s",
    }
    written = settings(external(env=env))
    assert {name: written[name] for name in env} == {
        "DOCWARDEN_MAX_DOCUMENT_BYTES": "33554432",
        "DOCWARDEN_HEDGING": "true",
        "DOCWARDEN_LOG_SUCCESS_SHARE": "0.25",
        "DOCWARDEN_REQUEST_TIMEOUT": "8s",
    }


def test_set_on_the_command_line_keeps_the_braces_of_the_upstream_url(template):
    done = template(options=("--set", "upstream.url=http://documents:3000/{id}"))
    assert 'DOCWARDEN_UPSTREAM_URL: "http://documents:3000/{id}"' in done.stdout


def test_a_changed_setting_makes_new_pods_and_an_unchanged_one_does_not(external):
    def checksum(**values):
        return pod(external(**values))["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum()
    assert checksum() != checksum(env={"DOCWARDEN_LOG_LEVEL": "debug"})


def test_a_changed_store_makes_new_pods(external):
    def checksum(url):
        objects = external(store={"url": url})
        return pod(objects)["metadata"]["annotations"]["checksum/store"]

    assert checksum("redis://one:6379/0") != checksum("redis://two:6379/0")
    assert "checksum/store" not in pod(external())["metadata"]["annotations"]


def test_the_store_s_address_is_in_the_secret_and_nowhere_else(template):
    values = {"simulator": {"enabled": True}, "store": {"url": "redis://:hunter2@redis:6379/0"}}
    assert template(values=values).stdout.count("hunter2") == 1


def test_the_store_s_address_comes_from_the_secret(external):
    own = external(store={"url": "redis://redis:6379/0"})
    assert own["Secret", "r-docwarden-store"]["stringData"] == {
        "DOCWARDEN_STORE_URL": "redis://redis:6379/0"
    }
    (variable,) = container(own)["env"]
    assert variable["valueFrom"]["secretKeyRef"] == {
        "name": "r-docwarden-store",
        "key": "DOCWARDEN_STORE_URL",
    }


def test_an_existing_secret_is_used_and_none_is_made(external):
    objects = external(store={"existingSecret": "redis", "existingSecretKey": "url"})
    assert "Secret" not in kinds(objects)
    (variable,) = container(objects)["env"]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "redis", "key": "url"}


# Start, health, stop


def test_the_three_probes_ask_three_questions_on_the_admin_port(external):
    gateway = container(external())
    asked = {
        kind: (gateway[kind]["httpGet"]["path"], gateway[kind]["httpGet"]["port"])
        for kind in ("startupProbe", "readinessProbe", "livenessProbe")
    }
    assert asked == {
        "startupProbe": ("/startupz", "admin"),
        "readinessProbe": ("/readyz", "admin"),
        "livenessProbe": ("/livez", "admin"),
    }


def patience(probe):
    """Return after how many seconds at most a process that stands still has failed the probe."""
    return probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]


def test_a_process_that_stands_still_is_out_of_the_endpoints_in_8_s_and_ended_in_38(external):
    gateway = container(external())
    assert patience(gateway["readinessProbe"]) == 8
    live = gateway["livenessProbe"]
    assert patience(live) + live["terminationGracePeriodSeconds"] == 38


def test_drain_and_grace_period_come_from_the_same_values(external):
    objects = external(drain={"delaySeconds": 4, "timeoutSeconds": 60, "gracePeriodSeconds": 69})
    assert settings(objects)["DOCWARDEN_DRAIN_DELAY"] == "4s"
    assert settings(objects)["DOCWARDEN_DRAIN_TIMEOUT"] == "60s"
    assert pod(objects)["spec"]["terminationGracePeriodSeconds"] == 69


def test_the_process_drains_by_itself_so_no_hook_delays_its_signal(external):
    assert "lifecycle" not in container(external())


def test_a_rollout_never_has_fewer_pods_than_wanted(external):
    strategy = external()["Deployment", "r-docwarden"]["spec"]["strategy"]
    assert strategy["rollingUpdate"]["maxUnavailable"] == 0


def test_tmp_is_the_only_writable_place_and_lies_in_memory(external):
    assert container(external())["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    (volume,) = pod(external())["spec"]["volumes"]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": "16Mi"}


def test_volumes_of_one_s_own_come_after_tmp(external):
    volume = {"name": "client", "secret": {"secretName": "redis-client"}}
    mount = {"name": "client", "mountPath": "/etc/redis", "readOnly": True}
    objects = external(extraVolumes=[volume], extraVolumeMounts=[mount])
    assert pod(objects)["spec"]["volumes"][1:] == [volume]
    assert container(objects)["volumeMounts"][1:] == [mount]


@pytest.mark.parametrize(
    ("kind", "amount"),
    [("cpu", 0.5), ("cpu", 1), ("cpu", "1.5"), ("cpu", "1500m"), ("memory", 268435456)],
)
def test_resources_reach_the_container_as_they_were_written(external, kind, amount):
    objects = external(resources={"requests": {kind: amount}})
    assert container(objects)["resources"]["requests"][kind] == amount
    kubernetes_validate.validate(objects["Deployment", "r-docwarden"], "1.30", strict=True)


# Placement


def test_pods_spread_over_zones_by_revision(external):
    (zones,) = pod(external())["spec"]["topologySpreadConstraints"]
    assert zones["topologyKey"] == "topology.kubernetes.io/zone"
    assert zones["labelSelector"]["matchLabels"] == GATEWAY
    assert zones["matchLabelKeys"] == ["pod-template-hash"]


def test_placement_values_reach_the_pods_and_are_absent_otherwise(external):
    placed = {
        "nodeSelector": {"kubernetes.io/arch": "arm64"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
        "priorityClassName": "high",
        "readinessGates": [{"conditionType": "target-health.example.com/documents"}],
    }
    spec = pod(external(**placed))["spec"]
    assert {name: spec[name] for name in placed} == placed
    assert not placed.keys() & pod(external())["spec"].keys()


def test_an_affinity_of_one_s_own_replaces_the_chart_s(external):
    term = {"matchExpressions": [{"key": "pool", "operator": "In", "values": ["edge"]}]}
    own = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}
        }
    }
    assert pod(external(affinity=own))["spec"]["affinity"] == own
    assert pod(external())["spec"]["affinity"].keys() == {"podAntiAffinity"}


def test_pod_labels_are_added_to_the_chart_s_own_and_select_nothing(external):
    objects = external(podLabels={"a": "b"})
    assert pod(objects)["metadata"]["labels"].items() >= {"a": "b", **GATEWAY}.items()
    assert objects["Deployment", "r-docwarden"]["spec"]["selector"] == {"matchLabels": GATEWAY}


def test_simulator_and_test_pod_get_the_resources_that_their_values_say(simulated):
    resources = {"requests": {"cpu": 1}, "limits": {"memory": "1Gi"}}
    objects = simulated(
        simulator={"enabled": True, "resources": resources}, tests={"resources": resources}
    )
    (tester,) = objects["Pod", "r-docwarden-test"]["spec"]["containers"]
    for each in (container(objects, "r-docwarden-simulator"), tester):
        assert each["resources"]["requests"]["cpu"] == 1
        assert each["resources"]["limits"]["memory"] == "1Gi"


def test_pod_annotations_are_added_to_the_chart_s_own(external):
    annotations = pod(external(podAnnotations={"a": "b"}))["metadata"]["annotations"]
    assert annotations["a"] == "b"
    assert "checksum/config" in annotations


def test_an_annotation_may_tell_of_a_changed_secret_of_one_s_own(external):
    own = {"checksum/store": "a"}
    objects = external(podAnnotations=own, store={"existingSecret": "redis"})
    assert pod(objects)["metadata"]["annotations"].items() >= own.items()


@pytest.mark.parametrize("most", [1, "25%"])
def test_the_disruption_budget_limits_pods_that_serve_only(external, most):
    budget = external(podDisruptionBudget={"maxUnavailable": most})
    assert budget["PodDisruptionBudget", "r-docwarden"]["spec"] == {
        "maxUnavailable": most,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": GATEWAY},
    }


# Scaling


def test_cpu_is_the_only_target_unless_requests_in_flight_are_asked_for(external):
    def metrics(**scaling):
        scaler = external(autoscaling=scaling)["HorizontalPodAutoscaler", "r-docwarden"]
        return scaler["spec"]["metrics"]

    assert [each["type"] for each in metrics()] == ["ContainerResource"]
    _, in_flight = metrics(targetRequestsInFlight=60)
    assert in_flight["pods"] == {
        "metric": {"name": "docwarden_requests_in_flight"},
        "target": {"type": "AverageValue", "averageValue": "60"},
    }


def test_the_scaler_watches_a_container_that_exists(external):
    objects = external()
    scaler = objects["HorizontalPodAutoscaler", "r-docwarden"]["spec"]
    watched = scaler["metrics"][0]["containerResource"]["container"]
    assert watched == container(objects)["name"]


@pytest.mark.parametrize(
    ("target", "cpu"),
    [
        (800, {}),
        (150, {"requests": {"cpu": 1}, "limits": {"cpu": "1500m"}}),
        (300, {"requests": {"cpu": 0.1}, "limits": {"cpu": 0.3}}),
        (1000, {"limits": {"cpu": None}}),
    ],
)
def test_the_target_is_a_percentage_of_the_request_so_it_may_go_up_to_the_limit(
    external, target, cpu
):
    objects = external(autoscaling={"targetCPUUtilization": target}, resources=cpu)
    (metric,) = objects["HorizontalPodAutoscaler", "r-docwarden"]["spec"]["metrics"]
    wanted = {"type": "Utilization", "averageUtilization": target}
    assert metric["containerResource"]["target"] == wanted


def test_without_a_scaler_neither_request_nor_target_matters(external):
    off = {"enabled": False, "targetCPUUtilization": 900}
    objects = external(autoscaling=off, resources={"requests": {"cpu": None}})
    assert "cpu" not in container(objects)["resources"]["requests"]


@pytest.mark.parametrize(
    ("scaling", "replicas"),
    [
        ({"enabled": False}, 4),
        ({}, 2),
        ({"minReplicas": 3}, 3),
        ({"handOver": False}, None),
    ],
)
def test_a_first_deployment_has_as_many_pods_as_the_values_say(external, scaling, replicas):
    # tests/cluster upgrades releases: what is stated there depends on who scaled last.
    spec = external(replicaCount=4, autoscaling=scaling)["Deployment", "r-docwarden"]["spec"]
    assert spec.get("replicas") == replicas


# Network


def test_documents_are_for_clients_and_the_admin_port_for_monitoring_only(external):
    clients = [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]
    policy = external(networkPolicy={"clients": clients})["NetworkPolicy", "r-docwarden"]["spec"]
    documents, admin = policy["ingress"]
    test_pod = {"podSelector": {"matchLabels": {**GATEWAY, "app.kubernetes.io/component": "test"}}}
    namespace = "kubernetes.io/metadata.name"
    assert documents == {
        "from": [*clients, test_pod],
        "ports": [{"port": 8080, "protocol": "TCP"}],
    }
    assert admin == {
        "from": [{"namespaceSelector": {"matchLabels": {namespace: "monitoring"}}}],
        "ports": [{"port": 8081, "protocol": "TCP"}],
    }


def test_nobody_listed_means_nobody_and_not_everybody(external):
    policy = external(networkPolicy={"monitoring": []})
    (documents,) = policy["NetworkPolicy", "r-docwarden"]["spec"]["ingress"]
    assert len(documents["from"]) == 1
    assert documents["ports"] == [{"port": 8080, "protocol": "TCP"}]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://documents:3000/{id}", 3000),
        ("http://documents/{id}", 80),
        ("https://documents.example.com/{id}", 443),
        ("https://[2001:db8::1]:8443/{id}", 8443),
    ],
)
def test_the_way_out_is_dns_and_the_upstream_s_port(render, url, port):
    policy = render(values={"upstream": {"url": url}})["NetworkPolicy", "r-docwarden"]["spec"]
    assert policy["egress"] == [DNS_RULE, {"ports": [{"port": port, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("redis://redis", 6379),
        ("redis://redis/0", 6379),
        ("redis://redis:6380/0", 6380),
        ("rediss://redis:6380", 6380),
        ("rediss://redis.example.com/2?ssl_ca_certs=/etc/ca:1234", 6379),
        ("rediss://user:1234@redis/0", 6379),
        ("redis://:p@ss:1234@redis:7000/0", 7000),
        ("redis://:50%zz@redis:7000", 7000),
        ("redis://[2001:db8::1]/0", 6379),
        ("redis://[2001:db8::1]:6380/0", 6380),
        ("redis://redis:06380/0", 6380),
    ],
)
def test_the_way_to_the_store_is_the_port_in_its_url(external, url, port):
    policy = external(store={"url": url})["NetworkPolicy", "r-docwarden"]["spec"]
    assert policy["egress"][2:] == [{"ports": [{"port": port, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("store", "said", "port"),
    [
        ({"url": "redis://redis:6380/0"}, 7000, 7000),
        ({"existingSecret": "redis"}, 0, 6379),
        ({"existingSecret": "redis"}, 6380, 6380),
    ],
)
def test_the_store_s_port_can_be_said_and_is_redis_s_own_where_the_url_is_unknown(
    external, store, said, port
):
    objects = external(store=store, networkPolicy={"store": {"port": said}})
    _, _, rule = objects["NetworkPolicy", "r-docwarden"]["spec"]["egress"]
    assert rule == {"ports": [{"port": port, "protocol": "TCP"}]}


def test_the_way_out_narrows_to_the_peers_that_are_named(external):
    address = {"ipBlock": {"cidr": "10.0.0.0/24"}}
    network = {
        "upstream": {"peers": [address], "port": 8000},
        "store": {"peers": [address], "port": 6380},
        "extraEgress": [{"to": [address], "ports": [{"port": 4318}]}],
    }
    objects = external(networkPolicy=network, store={"existingSecret": "redis"})
    assert objects["NetworkPolicy", "r-docwarden"]["spec"]["egress"] == [
        DNS_RULE,
        {"to": [address], "ports": [{"port": 8000, "protocol": "TCP"}]},
        {"to": [address], "ports": [{"port": 6380, "protocol": "TCP"}]},
        {"to": [address], "ports": [{"port": 4318}]},
    ]


def test_the_metrics_service_shows_pods_that_are_not_ready(external):
    service = external()["Service", "r-docwarden-metrics"]["spec"]
    assert service["publishNotReadyAddresses"] is True
    assert [port["port"] for port in service["ports"]] == [8081]


def test_the_service_for_documents_does_not_open_the_admin_port(external):
    service = {"type": "LoadBalancer", "port": 8000, "annotations": {"a": "b"}}
    objects = external(service=service, networkPolicy=LET_IN)
    service = objects["Service", "r-docwarden"]
    assert [port["port"] for port in service["spec"]["ports"]] == [8000]
    assert service["spec"]["type"] == "LoadBalancer"
    assert service["metadata"]["annotations"] == {"a": "b"}


def test_an_ingress_has_tls_only_with_a_certificate(external):
    def spec(**values):
        ingress = {"enabled": True, "hosts": ["a.example.com"], **values}
        objects = external(ingress=ingress, networkPolicy=LET_IN)
        return objects["Ingress", "r-docwarden"]["spec"]

    assert "tls" not in spec()
    assert spec(tlsSecretName="cert")["tls"] == [{"secretName": "cert", "hosts": ["a.example.com"]}]
    assert spec(className="nginx")["ingressClassName"] == "nginx"


def test_a_route_attaches_to_its_gateways(external):
    parents = [{"name": "edge", "namespace": "gateways", "sectionName": "https"}]
    route = {"enabled": True, "parentRefs": parents, "hostnames": ["a.example.com"]}
    spec = external(httpRoute=route, networkPolicy=LET_IN)["HTTPRoute", "r-docwarden"]["spec"]
    assert spec.keys() == {"parentRefs", "hostnames", "rules"}
    assert spec["parentRefs"] == parents
    assert spec["hostnames"] == ["a.example.com"]


def test_a_made_account_is_the_one_that_the_pods_use(external):
    def used(**account):
        return pod(external(serviceAccount=account))["spec"]["serviceAccountName"]

    assert used() == "r-docwarden"
    assert used(name="own") == "own"
    assert used(create=False) == "default"
    assert used(create=False, name="own") == "own"


# Monitoring


def test_the_service_monitor_finds_the_metrics_service_and_its_port(external):
    monitoring = {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}}
    objects = external(serviceMonitor=monitoring)
    monitor = objects["ServiceMonitor", "r-docwarden"]
    service = objects["Service", "r-docwarden-metrics"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    spec = monitor["spec"]
    assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert spec["namespaceSelector"] == {"matchNames": [service["metadata"]["namespace"]]}
    (endpoint,) = spec["endpoints"]
    assert endpoint == {"port": "admin", "path": "/metrics", "interval": "15s"}
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_the_service_monitor_selects_no_service_for_documents(external):
    objects = external(serviceMonitor={"enabled": True})
    selector = objects["ServiceMonitor", "r-docwarden"]["spec"]["selector"]["matchLabels"]
    labels = objects["Service", "r-docwarden"]["metadata"]["labels"]
    assert not selector.items() <= labels.items()


# Simulator


def test_the_simulator_stands_in_for_the_upstream(simulated):
    objects = simulated()
    service = objects["Service", "r-docwarden-simulator"]
    (port,) = service["spec"]["ports"]
    url = f"http://{service['metadata']['name']}:{port['port']}/{{id}}"
    assert settings(objects)["DOCWARDEN_UPSTREAM_URL"] == url
    assert container(objects, "r-docwarden-simulator")["args"] == [
        "simulate",
        "--listen",
        "0.0.0.0:3000",
        "--control",
        "127.0.0.1:3001",
    ]


def test_the_simulator_is_absent_unless_asked_for(external):
    assert not [name for _, name in external() if "simulator" in name]


def test_gateway_and_simulator_may_talk_and_the_simulator_calls_nobody(simulated):
    objects = simulated()
    simulator = objects["NetworkPolicy", "r-docwarden-simulator"]["spec"]
    assert simulator["egress"] == []
    (rule,) = simulator["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": GATEWAY}}]
    _, out = objects["NetworkPolicy", "r-docwarden"]["spec"]["egress"]
    assert out["to"] == [{"podSelector": simulator["podSelector"]}]
    assert out["ports"] == rule["ports"] == [{"port": 3000, "protocol": "TCP"}]


# helm test, NOTES


def test_helm_test_fetches_the_documents_asked_for_from_the_service(external):
    test_pod = external(service={"port": 8000}, tests={"documentIds": ["7"]})[
        "Pod", "r-docwarden-test"
    ]
    assert test_pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (only,) = test_pod["spec"]["containers"]
    assert only["args"] == ["http://r-docwarden:8000", "7"]


def test_helm_test_runs_the_script_as_it_is(external, chart):
    (only,) = external()["Pod", "r-docwarden-test"]["spec"]["containers"]
    script = (chart / "files/check_delivery.py").read_text()
    assert only["command"] == ["python", "-c", script]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "kubectl --namespace docwarden port-forward deployment/r-docwarden 8081"),
        ({}, "Operator console, health and metrics:"),
        ({"env": {"DOCWARDEN_WORKERS": 4}}, "Operator console, health and metrics:"),
        ({"simulator": {"enabled": True}}, "WARNING: the upstream is the simulator."),
        ({}, "NOTE: only the pod of `helm test` may fetch documents."),
        ({}, "--wait waits for: 2 (autoscaling between 2 and 10)."),
        ({"autoscaling": {"enabled": False}, "replicaCount": 3}, "--wait waits for: 3."),
        ({"networkPolicy": {"enabled": False}}, "WARNING: networkPolicy.enabled is false"),
        ({"env": {"DOCWARDEN_STALE_IF_ERROR": "1h"}}, "each pod keeps its own verified copies"),
        (
            {
                "ingress": {"enabled": True, "hosts": ["a.example.com"], "tlsSecretName": "c"},
                "networkPolicy": LET_IN,
            },
            "curl -i https://a.example.com/1",
        ),
    ],
)
def test_the_notes_say_what_matters_about_this_installation(helm, chart, tmp_path, values, said):
    values.setdefault("upstream", {"url": "" if "simulator" in values else "http://d:3000/{id}"})
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    done = helm(
        *("install", "r", chart, "--dry-run=client", "--namespace=docwarden", "--values", path)
    )
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert said in notes


def test_the_packaged_chart_renders_what_the_folder_renders(helm, chart, tmp_path):
    done = helm("package", chart, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("docwarden-*.tgz")
    options = ("--set=simulator.enabled=true", "--set=serviceMonitor.enabled=true")
    from_folder, from_archive = (helm("template", "r", each, *options) for each in (chart, archive))
    assert from_archive.stdout == from_folder.stdout != ""
