"""Examples of the policies on access."""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.data import ONLY_TLS, bucket, database, policy_document
from policy_pack.documentation.examples.model import (
    Example,
    constant,
)
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
    Example(
        policy="host-firewalled",
        family=public_endpoint,
        at="firewall",
        path="rules.1.sourceIps",
        refused=constant(["0.0.0.0/0"]),
        left_out=False,
    ),
    Example(
        policy="load-balancer-private",
        family=public_endpoint,
        at="target",
        path="usePrivateIp",
        refused=constant(False),
    ),
    Example(
        policy="load-balancer-over-tls", family=public_endpoint, at="service", path="protocol", refused=constant("http")
    ),
    Example(
        policy="database-over-tls",
        family=database,
        at="parameters",
        path="parameters.0.value",
        refused=constant("0"),
    ),
    Example(
        policy="database-private-network",
        family=database,
        at="database",
        path="dbSubnetGroupName",
        refused=constant(""),
        unknown=False,
    ),
    Example(
        policy="database-password-managed",
        family=database,
        at="database",
        path="manageMasterUserPassword",
        refused=constant(False),
    ),
    Example(
        policy="database-maintained",
        family=database,
        at="database",
        path="iamDatabaseAuthenticationEnabled",
        refused=constant(False),
    ),
    Example(
        policy="no-open-ingress",
        family=ingress,
        at="rule",
        path="cidrIpv4",
        refused=constant("0.0.0.0/0"),
        left_out=False,
        unknown=False,
    ),
    Example(policy="bucket-private", family=bucket, at="block", path="blockPublicPolicy", refused=constant(False)),
    Example(
        policy="bucket-over-tls",
        family=bucket,
        at="policy",
        path="policy",
        refused=constant(policy_document({**ONLY_TLS, "Resource": "arn:aws:s3:::objects/*"})),
        unknown=False,
    ),
    Example(
        policy="no-public-principal",
        family=queue,
        at="queue",
        path="policy",
        refused=constant(_EVERYONE),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="mfa-required",
        family=role,
        at="role",
        path="assumeRolePolicy",
        refused=constant(policy_document(PERSON)),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="no-wildcard-administrator",
        family=role,
        at="policy",
        path="policy",
        refused=constant(_EVERYTHING),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="federation-subject-named",
        family=deployment_role,
        at="role",
        path="assumeRolePolicy",
        refused=constant(policy_document(workflow("repo:*"))),
        left_out=False,
        unknown=False,
    ),
    Example(
        policy="repository-private", family=repository, at="repository", path="visibility", refused=constant("public")
    ),
)
