"""Resources that serve requests and give access, with everything that the policies demand of them."""

from __future__ import annotations

from typing import Final

from plan import Plan
from policy_pack.documentation.examples.data import home_location, policy_document
from policy_pack.documentation.examples.model import Declared, Family, Ref
from policy_pack.rules.resource_types import (
    FIREWALL,
    IAM_ROLE,
    INGRESS_RULE,
    LOAD_BALANCER,
    LOAD_BALANCER_SERVICE,
    LOAD_BALANCER_TARGET,
    PLACEMENT_GROUP,
    REPOSITORY,
    REPOSITORY_RULESET,
    SECURITY_GROUPS,
    SERVER,
    ZONE_RRSET,
)


def public_endpoint(plan: Plan) -> Family:
    """A pool of hosts with a placement group, a firewall, and a load balancer in each of two locations."""
    active = plan.redundancy.minimum_active_hosts
    states = ["active"] * active + ["standby"] * plan.redundancy.minimum_standby_hosts
    hosts = {
        f"host-{index + 1}": Declared(
            SERVER,
            {
                "serverType": "cpx32",
                "image": "debian-13",
                "location": home_location(plan, index),
                "labels": {"role": "api", "pool": "example-api", "state": state},
                "placementGroupId": Ref("group"),
                "firewallIds": [Ref("firewall")],
                "deleteProtection": True,
                "rebuildProtection": True,
            },
            protect=False,
        )
        for index, state in enumerate(states)
    }
    return {
        "firewall": Declared(
            FIREWALL,
            {
                "rules": [
                    {"direction": "in", "protocol": "icmp", "sourceIps": ["0.0.0.0/0", "::/0"]},
                    {"direction": "in", "protocol": "tcp", "port": "22", "sourceIps": ["203.0.113.0/24"]},
                ]
            },
        ),
        "group": Declared(PLACEMENT_GROUP, {"type": "spread"}),
        **hosts,
        **_balancer(plan, 0),
        **_balancer(plan, 1),
    }


def _balancer(plan: Plan, index: int) -> Family:
    """A load balancer in the plan's first or second location."""
    end = f"-{index + 1}" if index else ""
    return {
        f"balancer{end}": Declared(
            LOAD_BALANCER,
            {"loadBalancerType": "lb11", "location": home_location(plan, index), "deleteProtection": True},
        ),
        f"target{end}": Declared(
            LOAD_BALANCER_TARGET,
            {
                "loadBalancerId": Ref(f"balancer{end}"),
                "type": "label_selector",
                "labelSelector": "pool=example-api",
                "usePrivateIp": True,
            },
        ),
        f"service{end}": Declared(
            LOAD_BALANCER_SERVICE,
            {
                "loadBalancerId": Ref(f"balancer{end}"),
                "protocol": "https",
                "listenPort": 443,
                "destinationPort": 8080,
                "http": {"certificates": [1], "redirectHttp": True},
                "healthCheck": {
                    "protocol": "http",
                    "port": 8080,
                    "interval": 3,
                    "timeout": 2,
                    "retries": 2,
                    "http": {"path": "/healthz", "statusCodes": ["200"]},
                },
            },
        ),
    }


def dns_record(plan: Plan) -> Family:
    """A DNS record in a zone."""
    return {
        "zone": Declared("hcloud:index/zone:Zone", {"mode": "primary", "deleteProtection": True}),
        "name": Declared(
            ZONE_RRSET,
            {
                "zone": Ref("zone", "name"),
                "name": "api",
                "type": "A",
                "ttl": plan.redundancy.dns_ttl_seconds,
                "records": [{"value": "203.0.113.7"}],
            },
        ),
    }


def repository(_plan: Plan) -> Family:
    """The repository and the ruleset of its default branch."""
    return {
        "repository": Declared(REPOSITORY, {"visibility": "private", "archiveOnDestroy": True}),
        "ruleset": Declared(
            REPOSITORY_RULESET,
            {
                "repository": Ref("repository", "name"),
                "target": "branch",
                "enforcement": "active",
                "conditions": {"refName": {"includes": ["~DEFAULT_BRANCH"], "excludes": []}},
                "bypassActors": [{"actorType": "OrganizationAdmin", "bypassMode": "pull_request"}],
                "rules": {
                    "deletion": True,
                    "nonFastForward": True,
                    "pullRequest": {
                        "requiredApprovingReviewCount": 1,
                        "dismissStaleReviewsOnPush": True,
                        "requireLastPushApproval": True,
                    },
                },
            },
        ),
    }


PERSON: Final = {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
    "Action": "sts:AssumeRole",
}


def role(_plan: Plan) -> Family:
    """A role for people, with a policy."""
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    allowed = {"Effect": "Allow", "Action": "rds:RestoreDBInstanceToPointInTime", "Resource": "*"}
    return {
        "role": Declared(IAM_ROLE, {"assumeRolePolicy": policy_document({**PERSON, "Condition": condition})}),
        "policy": Declared("aws:iam/rolePolicy:RolePolicy", {"role": Ref("role"), "policy": policy_document(allowed)}),
    }


def workflow(subject: str) -> dict[str, object]:
    """The statement of a trust policy that lets a workflow of GitHub assume the role."""
    issuer = "token.actions.githubusercontent.com"
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subject}},
    }


def deployment_role(_plan: Plan) -> Family:
    """A role for the deployments of one environment."""
    subject = workflow("repo:example/infrastructure:environment:prod")
    return {"role": Declared(IAM_ROLE, {"assumeRolePolicy": policy_document(subject)})}


def ingress(_plan: Plan) -> Family:
    """A security group that admits one host."""
    return {
        "security-group": Declared(SECURITY_GROUPS[0], {"description": "our host"}),
        "rule": Declared(
            INGRESS_RULE,
            {
                "securityGroupId": Ref("security-group"),
                "ipProtocol": "tcp",
                "fromPort": 22,
                "toPort": 22,
                "cidrIpv4": "203.0.113.7/32",
            },
        ),
    }


def queue(plan: Plan) -> Family:
    """A queue: a resource in a region that stores no data for long."""
    home = plan.residency.aws.home_region
    account = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sqs:SendMessage",
        "Resource": f"arn:aws:sqs:{home}:123456789012:work",
    }
    return {
        "queue": Declared(
            "aws:sqs/queue:Queue",
            {
                "region": home,
                "kmsMasterKeyId": f"arn:aws:kms:{home}:123456789012:key/queue",
                "policy": policy_document(account),
            },
        )
    }


def function(_plan: Plan) -> Family:
    """A function that calls a model."""
    return {
        "function": Declared(
            "aws:lambda/function:Function",
            {"environment": {"variables": {"MODEL": "eu.anthropic.claude-sonnet-4-20250514-v1:0"}}},
        )
    }
