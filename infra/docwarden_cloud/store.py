"""The store of last verified copies: ElastiCache for Valkey."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import Environment, Store
from docwarden_cloud.findings import accept

PORT = 6379


class DocumentStore(Construct):
    """Valkey in subnets without a route out; TLS and a password, for the cluster's pods only."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        store: Store,
        vpc: ec2.IVpc,
        clients: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, name)
        key = DataKey(
            self,
            "Encryption",
            purpose="docwarden: last verified copies and the password to them",
            keep=environment.keeps_data,
        )
        guard = ec2.SecurityGroup(
            self,
            "Guard",
            vpc=vpc,
            description="Store: pods of the cluster only",
            allow_all_outbound=False,
        )
        guard.add_ingress_rule(clients, ec2.Port.tcp(PORT), "Pods of the cluster")
        self.secret = secretsmanager.Secret(
            self,
            "Password",
            secret_name=f"{environment.prefix}/store",
            description="Password of the store of last verified copies",
            encryption_key=key.key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106  the template of one, empty
                generate_string_key="password",
                exclude_punctuation=True,  # it becomes part of a URL
                password_length=64,
            ),
        )
        accept(
            self.secret,
            {
                "AwsSolutions-SMG4": (
                    "The store and a Kubernetes secret hold the password; it is renewed "
                    "by the steps of recover-from-disaster.md, not behind the pods' backs."
                )
            },
        )
        subnets = elasticache.CfnSubnetGroup(
            self,
            "Subnets",
            description="docwarden: subnets without a way out",
            cache_subnet_group_name=environment.prefix,
            subnet_ids=vpc.select_subnets(subnet_group_name="Store").subnet_ids,
        )
        self.group = elasticache.CfnReplicationGroup(
            self,
            "Valkey",
            replication_group_id=environment.prefix,
            replication_group_description="docwarden: last verified copies",
            engine="valkey",
            engine_version="8.0",
            cache_node_type=store.node_type,
            num_cache_clusters=1 + store.replicas,
            automatic_failover_enabled=store.replicas > 0,
            multi_az_enabled=store.replicas > 0,
            port=PORT,
            cache_subnet_group_name=subnets.ref,
            security_group_ids=[guard.security_group_id],
            at_rest_encryption_enabled=True,
            kms_key_id=key.key.key_arn,
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            auth_token=self.secret.secret_value_from_json("password").unsafe_unwrap(),
            auto_minor_version_upgrade=True,
            snapshot_retention_limit=1,
        )
        self.group.apply_removal_policy(
            RemovalPolicy.SNAPSHOT if environment.keeps_data else RemovalPolicy.DESTROY
        )
        accept(
            self.group,
            {
                "AwsSolutions-AEC5": (
                    "The port is no secret: only the cluster's security group reaches it, with TLS "
                    "and a password."
                )
            },
        )
