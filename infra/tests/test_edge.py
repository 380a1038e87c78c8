"""The edge, by type and property."""

from testkit.assembly import Assembly
from testkit.policies import plain


def test_only_https_reaches_the_pods(assembly: Assembly):
    listeners = {
        listener["Properties"]["Port"]: listener["Properties"]
        for listener in assembly["edge"].resources("AWS::ElasticLoadBalancingV2::Listener").values()
    }
    assert set(listeners) == {80, 443}
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res")


def test_only_the_services_own_name_is_forwarded(assembly: Assembly):
    rule = assembly["edge"].only("AWS::ElasticLoadBalancingV2::ListenerRule")
    domain = {"staging": "staging.docwarden.example", "production": "docwarden.example"}
    (condition,) = rule["Conditions"]
    assert condition["HostHeaderConfig"]["Values"] == [domain[assembly.environment]]


def test_certificate_and_name_are_the_environments(assembly: Assembly):
    certificate = assembly["edge"].only("AWS::CertificateManager::Certificate")
    assert certificate["ValidationMethod"] == "DNS"
    zone = assembly["dns"].only("AWS::Route53::HostedZone")
    assert zone["Name"] == f"{certificate['DomainName']}."


def test_targets_are_pods_that_auto_mode_may_register(assembly: Assembly):
    group = assembly["edge"].only("AWS::ElasticLoadBalancingV2::TargetGroup")
    assert (group["TargetType"], group["Port"]) == ("ip", 8080)
    assert group["HealthCheckPath"] == "/healthz"
    # AmazonEKSLoadBalancingPolicy allows RegisterTargets on target groups with this tag only.
    tags = {tag["Key"]: tag["Value"] for tag in plain(group["Tags"])}
    assert tags["eks:eks-cluster-name"] == f"docwarden-{assembly.environment}"


def test_deregistration_ends_while_a_draining_pod_still_serves(assembly: Assembly):
    group = assembly["edge"].only("AWS::ElasticLoadBalancingV2::TargetGroup")
    attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
    assert 10 <= int(attributes["deregistration_delay.timeout_seconds"]) <= 45


def test_balancer_waits_longer_than_the_gateway(assembly: Assembly):
    balancer = assembly["edge"].only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    assert int(attributes["idle_timeout.timeout_seconds"]) > 10
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"


def test_firewall_limits_each_client_before_all_other_rules(assembly: Assembly):
    acl = assembly["edge"].only("AWS::WAFv2::WebACL")
    first = min(acl["Rules"], key=lambda rule: rule["Priority"])
    rate = first["Statement"]["RateBasedStatement"]
    assert rate["Limit"] == (2_000 if assembly.environment == "staging" else 10_000)
    assert rate["AggregateKeyType"] == "IP"
    assert first["Action"] == {"Block": {}}
    assembly["edge"].only("AWS::WAFv2::WebACLAssociation")
    (destination,) = plain(
        assembly["edge"].only("AWS::WAFv2::LoggingConfiguration")["LogDestinationConfigs"]
    )
    assert destination.endswith(":log-group:<FirewallLogs>")


def test_access_logs_are_private_and_forgotten(assembly: Assembly):
    bucket = assembly["edge"].only("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    days = 30 if assembly.environment == "staging" else 365
    assert bucket["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == days
