"""What the demo environment leaves in an account."""

import json

from testkit.moto_cloud import Cloud


def build_demo(cloud: Cloud) -> str:
    """Leave what the steps ask for: stacks with outputs, a cluster, a bucket; return its name."""
    outputs = {
        "RepositoryUri": "123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden",
        "Url": "http://balancer.example/",
        "DashboardUrl": "https://us-east-2.console.aws.amazon.com/cloudwatch/home",
    }
    template = {
        "Resources": {"AccessLogs": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="docwarden-demo-edge", TemplateBody=json.dumps(template))
    cloud.client("eks").create_cluster(
        name="docwarden-demo", roleArn="arn:aws:iam::123456789012:role/x", resourcesVpcConfig={}
    )
    cloud.client("logs").create_log_group(logGroupName="/aws/eks/docwarden-demo/cluster")
    (bucket,) = cloudformation.describe_stack_resources(StackName="docwarden-demo-edge")[
        "StackResources"
    ]
    return str(bucket["PhysicalResourceId"])
