"""The types of the resources that several modules name. So rules need not import each other for a type."""

from __future__ import annotations

from typing import Final


def _s3(*names: str) -> tuple[str, ...]:
    return tuple(f"aws:s3/{name[0].lower()}{name[1:]}:{name}" for name in names)


# AWS

RDS_INSTANCE: Final = "aws:rds/instance:Instance"
RDS_PARAMETER_GROUP: Final = "aws:rds/parameterGroup:ParameterGroup"
RDS_BACKUP_REPLICATION: Final = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
DYNAMODB_TABLE: Final = "aws:dynamodb/table:Table"
DYNAMODB_REPLICA: Final = "aws:dynamodb/tableReplica:TableReplica"

# Each setting of a bucket is a separate resource. The provider knows most of them under two names.
BUCKET: Final = _s3("Bucket", "BucketV2")
BUCKET_VERSIONING: Final = _s3("BucketVersioning", "BucketVersioningV2")
BUCKET_LOCK: Final = _s3("BucketObjectLockConfiguration", "BucketObjectLockConfigurationV2")
BUCKET_LIFECYCLE: Final = _s3("BucketLifecycleConfiguration", "BucketLifecycleConfigurationV2")
BUCKET_ENCRYPTION: Final = _s3("BucketServerSideEncryptionConfiguration", "BucketServerSideEncryptionConfigurationV2")
BUCKET_REPLICATION: Final = _s3("BucketReplicationConfig")
BUCKET_ACCESS_BLOCK: Final = _s3("BucketPublicAccessBlock")
BUCKET_ACL: Final = _s3("BucketAcl", "BucketAclV2")
BUCKET_POLICY: Final = _s3("BucketPolicy")

BACKUP_VAULT: Final = "aws:backup/vault:Vault"
BACKUP_VAULT_LOCK: Final = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
BACKUP_PLAN: Final = "aws:backup/plan:Plan"
BACKUP_SELECTION: Final = "aws:backup/selection:Selection"

KMS_KEY: Final = "aws:kms/key:Key"
KMS_REPLICA_KEY: Final = "aws:kms/replicaKey:ReplicaKey"
KMS_EXTERNAL_KEYS: Final = ("aws:kms/externalKey:ExternalKey", "aws:kms/replicaExternalKey:ReplicaExternalKey")
SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type

INGRESS_RULE: Final = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
SECURITY_GROUP_RULE: Final = "aws:ec2/securityGroupRule:SecurityGroupRule"
SECURITY_GROUPS: Final = (
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
)
INGRESS_ADDRESSES: Final = ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks")
"""The properties with the addresses that a rule of a security group admits, in all of its forms."""
INGRESS_GROUPS: Final = ("referencedSecurityGroupId", "sourceSecurityGroupId", "securityGroups")
"""The properties with the security groups whose members it admits."""

AWS_LISTENERS: Final = ("aws:lb/listener:Listener", "aws:alb/listener:Listener")

IAM_ROLE: Final = "aws:iam/role:Role"
IAM_ROLE_POLICY_ATTACHMENT: Final = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"

# Hetzner

SERVER: Final = "hcloud:index/server:Server"
PLACEMENT_GROUP: Final = "hcloud:index/placementGroup:PlacementGroup"
FIREWALL: Final = "hcloud:index/firewall:Firewall"
PRIMARY_IP: Final = "hcloud:index/primaryIp:PrimaryIp"
LOAD_BALANCER: Final = "hcloud:index/loadBalancer:LoadBalancer"
LOAD_BALANCER_SERVICE: Final = "hcloud:index/loadBalancerService:LoadBalancerService"
LOAD_BALANCER_TARGET: Final = "hcloud:index/loadBalancerTarget:LoadBalancerTarget"
ZONE_RRSET: Final = "hcloud:index/zoneRrset:ZoneRrset"

# GitHub

REPOSITORY: Final = "github:index/repository:Repository"
REPOSITORY_RULESET: Final = "github:index/repositoryRuleset:RepositoryRuleset"
ORGANIZATION_RULESET: Final = "github:index/organizationRuleset:OrganizationRuleset"
BRANCH_PROTECTION: Final = "github:index/branchProtection:BranchProtection"
BRANCH_PROTECTION_V3: Final = "github:index/branchProtectionV3:BranchProtectionV3"
BRANCH_DEFAULT: Final = "github:index/branchDefault:BranchDefault"
