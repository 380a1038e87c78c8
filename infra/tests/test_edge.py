"""The edge, by type and property."""

from docwarden_cloud.environments import Environment
from testkit.assembly import Assembly
from testkit.policies import plain


def test_only_https_reaches_the_pods(delivered: Assembly):
    listeners = {
        listener["Properties"]["Port"]: listener["Properties"]
        for listener in delivered["edge"]
        .resources("AWS::ElasticLoadBalancingV2::Listener")
        .values()
    }
    assert set(listeners) == {80, 443}
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-1-2-Res")


def test_only_the_services_own_name_is_forwarded(delivered: Assembly):
    rule = delivered["edge"].only("AWS::ElasticLoadBalancingV2::ListenerRule")
    domain = {"staging": "staging.docwarden.example", "production": "docwarden.example"}
    (condition,) = rule["Conditions"]
    assert condition["HostHeaderConfig"]["Values"] == [domain[delivered.environment]]


def test_certificate_and_name_are_the_environments(delivered: Assembly):
    certificate = delivered["edge"].only("AWS::CertificateManager::Certificate")
    assert certificate["ValidationMethod"] == "DNS"
    zone = delivered["dns"].only("AWS::Route53::HostedZone")
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


def test_firewall_limits_each_client_before_all_other_rules(delivered: Assembly):
    acl = delivered["edge"].only("AWS::WAFv2::WebACL")
    first = min(acl["Rules"], key=lambda rule: rule["Priority"])
    rate = first["Statement"]["RateBasedStatement"]
    assert rate["Limit"] == (2_000 if delivered.environment == "staging" else 10_000)
    assert rate["AggregateKeyType"] == "IP"
    assert first["Action"] == {"Block": {}}
    delivered["edge"].only("AWS::WAFv2::WebACLAssociation")
    (destination,) = plain(
        delivered["edge"].only("AWS::WAFv2::LoggingConfiguration")["LogDestinationConfigs"]
    )
    assert destination.endswith(":log-group:<FirewallLogs>")


def test_access_logs_are_private_and_forgotten(assembly: Assembly, environment: Environment):
    bucket = assembly["edge"].only("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    rule = bucket["LifecycleConfiguration"]["Rules"][0]
    assert rule["ExpirationInDays"] == environment.log_retention_days


def test_without_a_domain_plain_http_is_for_the_networks_of_the_environment(demo: Assembly):
    listener = demo["edge"].only("AWS::ElasticLoadBalancingV2::Listener")
    assert (listener["Port"], listener["Protocol"]) == (80, "HTTP")
    assert listener["DefaultActions"][0]["Type"] == "forward"
    guard = demo["edge"].only("AWS::EC2::SecurityGroup")
    (rule,) = guard["SecurityGroupIngress"]
    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("203.0.113.7/32", 80, 80)
    assert plain(demo["edge"].body["Outputs"]["Url"]["Value"]).startswith("http://")
    assert "dns" not in {stack.name for stack in demo.stacks}
