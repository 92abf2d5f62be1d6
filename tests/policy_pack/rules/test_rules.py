"""Each rule's edges, as plain data: what a policy refuses of a property, beyond its example."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy_pack import UNKNOWN, Resource
from tests.policy_pack.resources import ACCOUNT, HOME, names, refused, resource

SERVICE = "hcloud:index/loadBalancerService:LoadBalancerService"
FIREWALL = "hcloud:index/firewall:Firewall"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
ROLE = "aws:iam/role:Role"
POLICY = "aws:iam/policy:Policy"
FUNCTION = "aws:lambda/function:Function"
SERVER = "hcloud:index/server:Server"


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"model": "eu.anthropic.claude-sonnet-4-20250514-v1:0"}, False),
        ({"model": "anthropic.claude-sonnet-4-20250514-v1:0"}, False),
        ({"model": "global.anthropic.claude-sonnet-4-20250514-v1:0"}, True),
        ({"model": "us.meta.llama3-3-70b-instruct-v1:0"}, True),
        ({"model": "us-gov.anthropic.claude-3-haiku-v1:0"}, True),
        ({"model": "apac.amazon.nova-pro-v1:0"}, True),
        ({"model": "jp.anthropic.claude-sonnet-4-5-v1:0"}, True),
        ({"arn": f"arn:aws:bedrock:{HOME}:{ACCOUNT}:inference-profile/global.anthropic.claude-x-v1:0"}, True),
        ({"arn": f"arn:aws:bedrock:{HOME}:{ACCOUNT}:inference-profile/eu.anthropic.claude-x-v1:0"}, False),
        ({"url": "https://eu.api.openai.com/v1"}, False),
        ({"url": "https://api.openai.com/v1"}, True),
        ({"url": "https://us.api.openai.com/v1"}, True),
        ({"url": "https://api.anthropic.com/"}, True),
        ({"url": "https://botbrains-swedencentral.openai.azure.com/"}, False),
        ({"url": "https://westeurope.api.cognitive.microsoft.com/"}, False),
        ({"url": "https://botbrains-uksouth.openai.azure.com/"}, True),
        ({"url": "https://botbrains.openai.azure.com/"}, True),
        ({"url": "https://notapi.openai.com.example.org/"}, False),
        ({"url": "https://www.anthropic.com/news"}, False),
        ({"mail": "x@eu.example.com", "text": "we like us. Amazon is a river."}, False),
        ({"model": UNKNOWN}, False),
    ],
)
@pytest.mark.parametrize("type_", [FUNCTION, SERVER, "github:index/actionsVariable:ActionsVariable"])
def test_models_run_in_the_eu(type_: str, props: dict[str, Any], expected: bool) -> None:
    assert bool(names(resource(type_, {"nested": [props]}), "inference-in-eu")) is expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("aws:rds/cluster:Cluster", True),
        ("aws:rds/clusterInstance:ClusterInstance", True),
        ("aws:elasticache/cluster:Cluster", True),
        ("aws:efs/fileSystem:FileSystem", True),
        ("aws:s3/directoryBucket:DirectoryBucket", True),
        ("aws:cognito/userPool:UserPool", True),
        ("hcloud:index/volume:Volume", True),
        ("hcloud:index/storageBox:StorageBox", True),
        ("aws:rds/instance:Instance", False),
        ("aws:s3/bucket:Bucket", False),
        ("aws:sqs/queue:Queue", False),
        ("aws:cognito/identityPool:IdentityPool", False),
        (SERVER, False),
    ],
)
def test_data_are_in_stores_that_are_judged(type_: str, expected: bool) -> None:
    assert bool(names(resource(type_), "data-store-reviewed")) is expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("aws:newservice/thing:Thing", True),
        ("aws:sqs/queue:Queue", False),
        ("aws:iam/role:Role", False),
    ],
)
def test_a_type_whose_place_is_not_known_is_refused(type_: str, expected: bool) -> None:
    assert bool(names(resource(type_), "aws-region-in-eu")) is expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("github:index/repository:Repository", False),
        ("github:index/codespacesSecret:CodespacesSecret", True),
        ("github:index/newThing:NewThing", True),
        ("pulumi:index:Stash", False),
        ("pulumi:index:Other", True),
    ],
)
def test_what_has_no_place_is_allowed_by_name(type_: str, expected: bool) -> None:
    assert bool(names(resource(type_), "provider-allowed")) is expected


def test_user_data_is_searched_for_places_too() -> None:
    data = "#!/bin/sh\ncurl https://sqs.us-east-1.amazonaws.com/1/q arn:aws:sns:us-east-2:1:t\n"
    found = refused(resource(SERVER, {"userData": data}), "aws-region-in-arguments")
    assert found == {"userData": "arn:aws:sns:us-east-2:", "a host's region in userData": "us-east-1"}
    # A name alone may be one of Hetzner's, which another policy judges.
    assert refused(resource(SERVER, {"labels": {"was": "us-east-1"}}), "aws-region-in-arguments") == {}


TCP = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (resource(INGRESS, {**TCP, "cidrIpv4": "203.0.113.7/32"}), []),
        (resource(INGRESS, {**TCP, "cidrIpv6": "2001:db8::1/128"}), []),
        (resource(INGRESS, {**TCP, "referencedSecurityGroupId": "sg-2"}), []),
        (resource(INGRESS, {**TCP, "cidrIpv4": UNKNOWN}), []),
        (resource(INGRESS, {**TCP, "cidrIpv4": "0.0.0.0/0"}), ["cidrIpv4"]),
        (resource(INGRESS, {**TCP, "cidrIpv4": "128.0.0.0/1"}), ["cidrIpv4"]),
        (resource(INGRESS, {**TCP, "cidrIpv4": "203.0.113.0/24"}), ["cidrIpv4"]),
        (resource(INGRESS, {**TCP, "cidrIpv4": "anywhere"}), ["cidrIpv4"]),
        (resource(INGRESS, {**TCP, "prefixListId": "pl-1"}), ["prefixListId"]),
        (resource(INGRESS, {**TCP, "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0"}), []),
        (resource(INGRESS, {**TCP, "fromPort": 80, "toPort": 443, "cidrIpv4": "0.0.0.0/0"}), ["cidrIpv4"]),
        (resource(INGRESS, {"ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}), ["cidrIpv4"]),
        (resource(GROUP, {}), []),
        (resource(GROUP, {"ingress": UNKNOWN}), ["ingress"]),
        (resource(GROUP, {"ingress": [UNKNOWN]}), ["ingress[0]"]),
        (
            resource(
                GROUP, {"ingress": [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}]}
            ),
            ["ingress[0].cidrBlocks[0]"],
        ),
        (
            resource("aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "ingress", "ipv6CidrBlocks": ["::/0"]}),
            ["ipv6CidrBlocks[0]"],
        ),
        (resource("aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}), []),
    ],
)
def test_nobody_is_admitted_but_single_hosts(of: Resource, expected: list[str]) -> None:
    assert names(of, "no-open-ingress") == expected


def firewall(**rule: Any) -> Resource:
    return resource(FIREWALL, {"rules": [{"direction": "in", "protocol": "tcp", "port": "22", **rule}]})


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (firewall(sourceIps=["203.0.113.0/24", "2001:db8::/48"]), []),
        (firewall(sourceIps=["0.0.0.0/0"]), ["rules[0].sourceIps[0]"]),
        (firewall(sourceIps=["203.0.113.0/24", "::/0"]), ["rules[0].sourceIps[1]"]),
        (firewall(sourceIps=["128.0.0.0/1"]), ["rules[0].sourceIps[0]"]),
        (firewall(sourceIps=["0.0.0.0/0"], port="8080"), ["rules[0].sourceIps[0]"]),
        (firewall(sourceIps=["0.0.0.0/0"], protocol="icmp"), []),
        (firewall(sourceIps=["0.0.0.0/0"], direction="out"), []),
        (firewall(sourceIps=[UNKNOWN]), ["rules[0].sourceIps[0]"]),
        (firewall(sourceIps=UNKNOWN), ["rules[0]"]),
        (resource(FIREWALL, {"rules": UNKNOWN}), ["rules"]),
        (resource(FIREWALL, {}), []),
        (resource(SERVER, {"firewallIds": [UNKNOWN]}), []),
        (resource(SERVER, {"firewallIds": UNKNOWN}), []),
        (resource(SERVER, {"firewallIds": []}), ["firewallIds"]),
        (resource(SERVER, {}), ["firewallIds"]),
    ],
)
def test_ssh_is_open_to_named_ranges_alone(of: Resource, expected: list[str]) -> None:
    assert names(of, "host-firewalled") == expected


ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (resource(ROLE, {"assumeRolePolicy": document(Principal={"Service": "backup.amazonaws.com"})}), False),
        (resource(ROLE, {"assumeRolePolicy": document(Principal=ROOT)}), True),
        (resource(ROLE, {"assumeRolePolicy": document(Principal=ROOT, Condition=WITH_MFA)}), False),
        (
            resource(
                ROLE,
                {"assumeRolePolicy": document(Principal=ROOT, Condition={"BoolIfExists": WITH_MFA["Bool"]})},
            ),
            True,
        ),
        (
            resource(
                ROLE,
                {
                    "assumeRolePolicy": document(
                        Principal=ROOT, Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}}
                    )
                },
            ),
            True,
        ),
        (resource(ROLE, {"assumeRolePolicy": document(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"})}), False),
        (resource(ROLE, {"assumeRolePolicy": document(Principal="*")}), True),
        (resource(ROLE, {"assumeRolePolicy": UNKNOWN}), False),
        (resource("aws:iam/accessKey:AccessKey", {"user": "liam"}), True),
        (resource("aws:iam/userLoginProfile:UserLoginProfile", {"user": "ben"}), True),
    ],
)
def test_people_need_a_second_factor(of: Resource, expected: bool) -> None:
    assert bool(names(of, "mfa-required")) is expected


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"policy": document(Action="*", Resource="*")}, True),
        ({"policy": document(Action=["s3:*", "*:*"], Resource=["*"])}, True),
        ({"policy": document(Action="iam:*", Resource="*")}, True),
        ({"policy": document(NotAction="iam:*", Resource="*")}, True),
        ({"policy": document(Action="*", NotResource="arn:aws:s3:::x")}, True),
        ({"policy": document(Action="s3:*", Resource="*")}, False),
        ({"policy": document(Action="*", Resource="arn:aws:s3:::x")}, False),
        ({"policy": json.dumps({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})}, True),
        ({"policy": json.dumps({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})}, False),
        ({"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, True),
        ({"managedPolicyArns": ["arn:aws:iam::aws:policy/job-function/PowerUserAccess"]}, True),
        ({"policyArn": "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"}, False),
        ({"policy": 'not JSON with "Statement" in it'}, False),
        ({"policy": UNKNOWN}, False),
    ],
)
def test_nobody_holds_every_right(props: dict[str, Any], expected: bool) -> None:
    assert bool(names(resource(POLICY, props), "no-wildcard-administrator")) is expected


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (resource("aws:sqs/queuePolicy:QueuePolicy", {"policy": document(Principal="*", Action="sqs:*")}), True),
        (resource("aws:sns/topic:Topic", {"policy": document(Principal={"AWS": ["*"]}, Action="sns:*")}), True),
        (resource("aws:s3/bucketPolicy:BucketPolicy", {"policy": document(NotPrincipal=ROOT, Action="s3:*")}), True),
        (
            resource(
                "aws:sns/topic:Topic",
                {"policy": document(Principal="*", Condition={"StringEquals": {"aws:SourceAccount": ACCOUNT}})},
            ),
            False,
        ),
        (
            resource(
                "aws:sns/topic:Topic",
                {"policy": document(Principal="*", Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})},
            ),
            True,
        ),
        (
            resource(
                "aws:kms/key:Key",
                {
                    "policy": document(
                        Principal={"AWS": "*"}, Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}}
                    )
                },
            ),
            False,
        ),
        (resource("aws:kms/key:Key", {"policy": document(Principal=ROOT, Action="kms:*", Resource="*")}), False),
        (resource("aws:rds/snapshot:Snapshot", {"sharedAccounts": ["all"]}), True),
        (resource("aws:rds/snapshot:Snapshot", {"sharedAccounts": [ACCOUNT]}), False),
        (resource("aws:lambda/functionUrl:FunctionUrl", {"authorizationType": "NONE"}), True),
        (resource("aws:lambda/permission:Permission", {"principal": "*"}), True),
        (resource("aws:ec2/amiLaunchPermission:AmiLaunchPermission", {"group": "all"}), True),
        (resource("aws:ecrpublic/repository:Repository", {}), True),
    ],
)
def test_nothing_is_open_to_everybody(of: Resource, expected: bool) -> None:
    assert bool(names(of, "no-public-principal")) is expected
