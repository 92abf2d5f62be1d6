"""Tests of the types that hold data: every declared type is classified, and the ones with data are protected."""

from __future__ import annotations

from plan.stateful import BY_TYPE
from tests.components.recording import (
    BACKUP_PLAN,
    BACKUP_REPLICATION,
    BACKUP_VAULT,
    BALANCER,
    BUCKET,
    BUCKET_REPLICATION,
    DATABASE,
    KEY,
    NETWORK,
    PRIMARY_IP,
    REPOSITORY,
    SECRET,
    SERVER,
    VAULT_LOCK,
    ZONE,
    Deployment,
)

# Types that the repository can create again without a loss: configuration, rights, and hosts. Each declared type is
# here or in `plan/stateful.py`, so that a new store is not forgotten there.
MADE_AGAIN = frozenset(
    {
        "aws:cloudtrail/trail:Trail",
        "aws:cloudwatch/eventRule:EventRule",
        "aws:cloudwatch/eventTarget:EventTarget",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:iam/policy:Policy",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:iam/user:User",
        "aws:iam/userPolicyAttachment:UserPolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:rds/parameterGroup:ParameterGroup",
        "aws:rds/subnetGroup:SubnetGroup",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:sns/topic:Topic",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:ssm/activation:Activation",
        "aws:ssm/parameter:Parameter",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable",
        "github:index/actionsRepositoryOidcSubjectClaimCustomizationTemplate:ActionsRepositoryOidcSubjectClaimCustomizationTemplate",
        "github:index/actionsRepositoryPermissions:ActionsRepositoryPermissions",
        "github:index/actionsVariable:ActionsVariable",
        "github:index/membership:Membership",
        "github:index/repositoryDependabotSecurityUpdates:RepositoryDependabotSecurityUpdates",
        "github:index/repositoryEnvironment:RepositoryEnvironment",
        "github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy",
        "github:index/repositoryRuleset:RepositoryRuleset",
        "github:index/repositoryVulnerabilityAlerts:RepositoryVulnerabilityAlerts",
        "github:index/workflowRepositoryPermissions:WorkflowRepositoryPermissions",
        "hcloud:index/firewall:Firewall",
        "hcloud:index/loadBalancerNetwork:LoadBalancerNetwork",
        "hcloud:index/loadBalancerService:LoadBalancerService",
        "hcloud:index/loadBalancerTarget:LoadBalancerTarget",
        "hcloud:index/managedCertificate:ManagedCertificate",
        "hcloud:index/networkSubnet:NetworkSubnet",
        "hcloud:index/placementGroup:PlacementGroup",
        "hcloud:index/server:Server",
        "hcloud:index/sshKey:SshKey",
        "hcloud:index/zoneRrset:ZoneRrset",
    }
)


def test_every_declared_type_is_known_to_hold_data_or_not_to(deployed: dict[str, Deployment]) -> None:
    declared = {resource.type for deployment in deployed.values() for resource in deployment.custom}
    assert declared - set(BY_TYPE) == MADE_AGAIN


def test_what_holds_data_is_protected(deployed: dict[str, Deployment]) -> None:
    found = {
        stack: {resource.type for resource in deployment.custom if BY_TYPE.get(resource.type)}
        for stack, deployment in deployed.items()
    }
    for stack, deployment in deployed.items():
        hosts = {server.name for server in deployment.all(SERVER)}
        for resource in deployment.custom:
            of_database = "DatabaseLogs$aws:cloudwatch/" in resource.urn  # they follow the name of the database
            if (
                resource.type in BY_TYPE
                and not of_database
                and not (resource.type == PRIMARY_IP and resource.name in hosts)
            ):
                assert resource.protect, f"{stack}: {resource.name}"
    buckets = {
        BUCKET,
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    }
    backups = {BACKUP_PLAN, "aws:backup/selection:Selection"}
    service = {DATABASE, KEY, "aws:cloudwatch/logGroup:LogGroup", NETWORK, BALANCER, PRIMARY_IP} | backups
    assert found == {
        "vault": {KEY, BACKUP_VAULT, VAULT_LOCK, ZONE} | buckets,
        "prod": {BUCKET_REPLICATION, BACKUP_REPLICATION, BACKUP_VAULT, VAULT_LOCK, SECRET} | service | buckets,
        "dr": service,
        "github": {REPOSITORY},
    }
