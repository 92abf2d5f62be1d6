"""Examples of the policies on access."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import ONLY_TLS, bucket, database, policy_document
from policy_pack.documentation.examples.model import Example
from policy_pack.documentation.examples.service import (
    PERSON,
    deployment_role,
    ingress,
    public_endpoint,
    queue,
    repository,
    role,
    workflow,
)

_EVERYONE: Final = policy_document({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage"})
_EVERYTHING: Final = policy_document({"Effect": "Allow", "Action": "*", "Resource": "*"})

ACCESS: Final[tuple[Example, ...]] = (
    Example("host-firewalled", public_endpoint, "firewall", "rules.1.sourceIps", ["0.0.0.0/0"], left_out=False),
    Example("load-balancer-private", public_endpoint, "target", "usePrivateIp", False),
    Example("load-balancer-over-tls", public_endpoint, "service", "protocol", "http"),
    Example("database-over-tls", database, "parameters", "parameters.0.value", "0"),
    Example("database-private-network", database, "database", "dbSubnetGroupName", "", unknown=False),
    Example("database-password-managed", database, "database", "manageMasterUserPassword", False),
    Example("database-maintained", database, "database", "iamDatabaseAuthenticationEnabled", False),
    Example("no-open-ingress", ingress, "rule", "cidrIpv4", "0.0.0.0/0", left_out=False, unknown=False),
    Example("bucket-private", bucket, "block", "blockPublicPolicy", False),
    Example(
        "bucket-over-tls",
        bucket,
        "policy",
        "policy",
        policy_document({**ONLY_TLS, "Resource": "arn:aws:s3:::objects/*"}),
        unknown=False,
    ),
    Example("no-public-principal", queue, "queue", "policy", _EVERYONE, left_out=False, unknown=False),
    Example("mfa-required", role, "role", "assumeRolePolicy", policy_document(PERSON), left_out=False, unknown=False),
    Example("no-wildcard-administrator", role, "policy", "policy", _EVERYTHING, left_out=False, unknown=False),
    Example(
        "federation-subject-named",
        deployment_role,
        "role",
        "assumeRolePolicy",
        policy_document(workflow("repo:*")),
        left_out=False,
        unknown=False,
    ),
    Example("repository-private", repository, "repository", "visibility", "public"),
)
