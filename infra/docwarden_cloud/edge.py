"""The edge: TLS, rate limits and the load balancer, all known before the cluster exists.

Without a domain of its own an environment has no certificate: the load balancer's own name then
answers in plain HTTP, which is for trying things out.

The load balancer is made here and not by a controller from an Ingress, so that its listeners,
its security group and its firewall are reviewed and tested like everything else. Auto Mode's
controller only registers the pods in the target group, by a TargetGroupBinding.
"""

from aws_cdk import Duration, RemovalPolicy, Tags
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from aws_cdk import aws_s3 as s3
from constructs import Construct

from docwarden_cloud.environments import PUBLIC_PORT, Environment
from docwarden_cloud.findings import accept

# Above DOCWARDEN_REQUEST_TIMEOUT (10 s), so that the gateway's own 504 arrives first, and below
# DOCWARDEN_IDLE_TIMEOUT (75 s), so that the gateway never closes what the balancer is about to use.
_IDLE_TIMEOUT = Duration.seconds(15)
# Above DOCWARDEN_DRAIN_DELAY (10 s) and not above the pods' grace period (45 s).
_DEREGISTRATION_DELAY = Duration.seconds(20)


class LoadBalancer(Construct):
    """Internet-facing application load balancer, for one host name where there is a domain."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        vpc: ec2.IVpc,
        zone: route53.IHostedZone | None,
        pods: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, name)
        self._environment = environment
        guard = self._guard(vpc, pods)
        self.balancer = elb.ApplicationLoadBalancer(
            self,
            "Balancer",
            load_balancer_name=environment.prefix,
            vpc=vpc,
            internet_facing=True,
            vpc_subnets=ec2.SubnetSelection(subnet_group_name="Edge"),
            security_group=guard,
            idle_timeout=_IDLE_TIMEOUT,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elb.DesyncMitigationMode.STRICTEST,
            deletion_protection=environment.keeps_data,
        )
        self.balancer.log_access_logs(self._access_logs(), "alb")
        self.target_group = self._targets(vpc)
        if zone and environment.domain:
            self.url = f"https://{environment.domain}/"
            self._listen(zone, environment.domain)
        else:
            self.url = f"http://{self.balancer.load_balancer_dns_name}/"
            self._listen_in_plain()

    def _guard(self, vpc: ec2.IVpc, pods: ec2.ISecurityGroup) -> ec2.SecurityGroup:
        guard = ec2.SecurityGroup(
            self,
            "Guard",
            vpc=vpc,
            description="Load balancer: clients in, out to the pods only",
            allow_all_outbound=False,
        )
        if self._environment.domain:
            self._admit_everybody(guard)
        else:
            for cidr in self._environment.api_access_cidrs:
                guard.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(80), "HTTP from people")
        guard.add_egress_rule(pods, ec2.Port.tcp(PUBLIC_PORT), "Documents from the pods")
        ec2.CfnSecurityGroupIngress(
            self,
            "PodsAdmitBalancer",
            group_id=pods.security_group_id,
            ip_protocol="tcp",
            from_port=PUBLIC_PORT,
            to_port=PUBLIC_PORT,
            source_security_group_id=guard.security_group_id,
            description="Documents for the load balancer",
        )
        return guard

    def _admit_everybody(self, guard: ec2.SecurityGroup) -> None:
        guard.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS from anywhere")
        guard.add_ingress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(80), "HTTP from anywhere, redirected"
        )
        accept(
            guard,
            {
                "AwsSolutions-EC23": "The public entrance, behind WAF; 80 only redirects to 443.",
                "CKV_AWS_260": "Port 80 answers with a redirect to HTTPS and nothing else.",
            },
        )

    def _access_logs(self) -> s3.Bucket:
        keep = self._environment.keeps_data
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            # Load balancers write only to buckets with S3's own keys.
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expiration=Duration.days(self._environment.log_retention_days),
                    noncurrent_version_expiration=Duration.days(1),
                )
            ],
            removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
        )
        reason = "This bucket holds the access logs; logging its own accesses would never end."
        accept(bucket, {"AwsSolutions-S1": reason, "CKV_AWS_18": reason})
        return bucket

    def _targets(self, vpc: ec2.IVpc) -> elb.ApplicationTargetGroup:
        group = elb.ApplicationTargetGroup(
            self,
            "Pods",
            target_group_name=self._environment.prefix,
            vpc=vpc,
            target_type=elb.TargetType.IP,
            protocol=elb.ApplicationProtocol.HTTP,
            port=PUBLIC_PORT,
            deregistration_delay=_DEREGISTRATION_DELAY,
            load_balancing_algorithm_type=(
                elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS
            ),
            health_check=elb.HealthCheck(
                path="/healthz",
                interval=Duration.seconds(5),
                timeout=Duration.seconds(2),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
                healthy_http_codes="200",
            ),
        )
        # Auto Mode's controller may register targets only where this tag names its cluster.
        Tags.of(group).add("eks:eks-cluster-name", self._environment.prefix)
        return group

    def _listen_in_plain(self) -> None:
        self.balancer.add_listener(
            "Http",
            port=80,
            protocol=elb.ApplicationProtocol.HTTP,
            open=False,
            default_action=elb.ListenerAction.forward([self.target_group]),
        )
        reason = "No domain, so no certificate; only the networks of the environment are admitted."
        accept(self.balancer, {"CKV_AWS_2": reason, "CKV_AWS_103": reason})

    def _listen(self, zone: route53.IHostedZone, domain: str) -> None:
        route53.ARecord(
            self,
            "Address",
            zone=zone,
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(self.balancer)),
        )
        self.certificate = acm.Certificate(
            self,
            "Certificate",
            domain_name=domain,
            validation=acm.CertificateValidation.from_dns(zone),
        )
        self.balancer.add_redirect(
            source_port=80,
            source_protocol=elb.ApplicationProtocol.HTTP,
            target_port=443,
            target_protocol=elb.ApplicationProtocol.HTTPS,
            open=False,
        )
        listener = self.balancer.add_listener(
            "Https",
            port=443,
            protocol=elb.ApplicationProtocol.HTTPS,
            ssl_policy=elb.SslPolicy.TLS13_RES,
            certificates=[self.certificate],
            open=False,
            # Scanners ask by address; only the service's own name reaches the pods.
            default_action=elb.ListenerAction.fixed_response(404, content_type="text/plain"),
        )
        listener.add_action(
            "Documents",
            priority=10,
            conditions=[elb.ListenerCondition.host_headers([domain])],
            action=elb.ListenerAction.forward([self.target_group]),
        )
