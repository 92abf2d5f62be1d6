"""Violations that look like compliance: a different engine's parameter, a part instead of the whole, a template."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policy_pack import UNKNOWN, judge, judge_stack
from policy_pack.documentation.examples.data import ONLY_TLS, bucket, database, policy_document
from policy_pack.documentation.examples.model import Declared, Family, Ref, changed, declared_as
from policy_pack.documentation.examples.service import public_endpoint
from tests.policy_pack.refusals import policies
from tests.policy_pack.resources import ACCOUNT, HOME, PLAN, RECOVERY, names, refused, resource
from tests.policy_pack.rules.documents import BROKEN

GROUP = "aws:rds/parameterGroup:ParameterGroup"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
TOPIC = "aws:sns/topic:Topic"
DAYS = PLAN.retention.vault_copy_days


@pytest.mark.parametrize(
    ("family", "parameter", "value", "expected"),
    [
        ("postgres18", "rds.force_ssl", "1", []),
        ("sqlserver-se-16.0", "rds.force_ssl", "1", []),
        ("mysql8.4", "require_secure_transport", "ON", []),
        ("mariadb11.8", "require_secure_transport", 1, []),
        ("mysql8.4", "rds.force_ssl", "1", ["the parameter require_secure_transport"]),
        ("mysql8.4", "require_secure_transport", "OFF", ["the parameter require_secure_transport"]),
        ("postgres18", "require_secure_transport", "1", ["the parameter rds.force_ssl"]),
        ("oracle-se2-19", "rds.force_ssl", "1", ["family"]),
        ("db2-se-11.5", "rds.force_ssl", "1", ["family"]),
        (UNKNOWN, "rds.force_ssl", "1", ["family"]),
    ],
)
def test_each_engine_forces_tls_by_its_own_parameter(
    family: object, parameter: str, value: object, expected: list[str]
) -> None:
    group = resource(GROUP, {"family": family, "parameters": [{"name": parameter, "value": value}]})
    assert names(group, "database-over-tls") == expected


def test_each_engine_is_advised_in_its_own_words() -> None:
    of = {"engine": "mysql", "parameterGroupName": "default.mysql8.4", "enabledCloudwatchLogsExports": ["error"]}
    (violation,) = [
        one.message for one in _violations("aws:rds/instance:Instance", of) if one.policy.id == "database-over-tls"
    ]
    assert "require_secure_transport=1" in violation
    found = refused(resource("aws:rds/instance:Instance", {**of, "engine": "sqlserver-se"}), "database-maintained")
    assert found == {}  # RDS has no IAM authentication for SQL Server
    found = refused(resource("aws:rds/instance:Instance", of), "database-maintained")
    assert found == {"iamDatabaseAuthenticationEnabled": None}


def _violations(type_: str, props: dict[str, Any]) -> list[Any]:
    return judge(resource(type_, props), PLAN)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(None, []), (90, []), (365, []), (366, ["rotationPeriodInDays"]), (UNKNOWN, ["rotationPeriodInDays"])],
)
def test_a_key_is_rotated_at_least_every_year(days: object, expected: list[str]) -> None:
    props = {"enableKeyRotation": True, **({} if days is None else {"rotationPeriodInDays": days})}
    assert names(resource("aws:kms/key:Key", props), "key-rotated") == expected


def test_a_key_of_imported_material_is_never_rotated() -> None:
    assert names(resource("aws:kms/externalKey:ExternalKey"), "key-rotated") == ["type"]


BUCKET = "arn:aws:s3:::objects"
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ([BUCKET, f"{BUCKET}/*"], False),
        ("*", False),
        (f"{BUCKET}*", False),
        ("arn:aws:s3:::*", False),
        (f"{BUCKET}/*", True),
        (BUCKET, True),
        ([BUCKET, f"{BUCKET}/public/*"], True),
        ([], True),
        (None, True),
    ],
)
def test_tls_is_demanded_for_the_bucket_and_for_its_objects(of: object, expected: bool) -> None:
    one = resource(POLICY, {"policy": policy_document({**ONLY_TLS, "Resource": of})})
    assert bool(names(one, "bucket-over-tls")) is expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([{**ONLY_TLS, "Resource": BUCKET}, {**ONLY_TLS, "Resource": f"{BUCKET}/*"}], False),
        ([ONLY_TLS, {**ONLY_TLS, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}], False),
        ([{**ONLY_TLS, "Principal": {"AWS": ["*"]}, "Action": ["s3:*"]}], False),
        ([{**ONLY_TLS, "Condition": {"BoolIfExists": {"AWS:SecureTransport": [False]}}}], False),
        ([{**ONLY_TLS, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}], True),
        ([{**ONLY_TLS, "Condition": {**WITHOUT_TLS, "StringEquals": {"s3:prefix": "x"}}}], True),
        ([{**ONLY_TLS, "Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "true"}}}], True),
    ],
)
def test_tls_is_demanded_in_every_form_and_without_a_further_condition(statements: Any, expected: bool) -> None:
    assert bool(names(resource(POLICY, {"policy": policy_document(*statements)}), "bucket-over-tls")) is expected


def public(**condition: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "sns:Publish",
        "Resource": "*",
        "Condition": condition,
    }


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (public(StringEquals={"AWS:SourceOwner": ACCOUNT}), False),  # of the default policy of a topic
        (public(StringEquals={"kms:CallerAccount": ACCOUNT, "kms:ViaService": f"rds.{HOME}.amazonaws.com"}), False),
        (public(StringEquals={"aws:PrincipalAccount": [ACCOUNT]}), False),
        (public(StringEquals={"aws:PrincipalAccount": int(ACCOUNT)}), False),
        (public(StringEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"}), False),
        (public(ArnLike={"aws:SourceArn": f"arn:aws:events:*:{ACCOUNT}:rule/*"}), False),
        (public(ArnEquals={"aws:SourceArn": "arn:aws:s3:::objects"}), False),
        ({**public(**{"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/r-1/ou-1/"}})}, False),
        (public(ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}), True),
        (public(ArnLike={"aws:SourceArn": "arn:aws:s3:::*"}), True),
        (public(StringLike={"aws:PrincipalAccount": "*"}), True),
        (public(StringEquals={"aws:PrincipalAccount": [ACCOUNT, "*"]}), True),
        (public(Null={"aws:PrincipalAccount": "false"}), True),
        (public(StringEquals={"aws:ResourceAccount": ACCOUNT}), True),
        (public(StringEqualsIfExists={"aws:SourceAccount": ACCOUNT}), True),
        (public(StringNotEquals={"aws:SourceAccount": ACCOUNT}), True),
        (public(StringEquals={"aws:SourceAccount": []}), True),
    ],
)
@pytest.mark.parametrize("form", [json.dumps, lambda document: document, lambda document: {"deep": [document]}])
def test_every_principal_is_narrowed_by_the_forms_of_aws_alone(statement: Any, expected: bool, form: Any) -> None:
    document = {"Version": "2012-10-17", "Statement": [statement]}
    assert bool(names(resource(TOPIC, {"policy": form(document)}), "no-public-principal")) is expected


@pytest.mark.parametrize("document", BROKEN)
def test_a_broken_document_gets_a_sentence(document: object) -> None:
    (violation,) = _violations(TOPIC, {"policy": document})
    assert violation.policy.id == "no-public-principal"
    assert "allowed is a policy document with a list of statements" in violation.message


@pytest.mark.parametrize(
    "text",
    ['see "Statement" in the manual', '{"Statement": {"ByteMatchStatement": {}}}', '{"Statement', "", "[]", "null"],
)
def test_other_texts_are_no_broken_documents(text: str) -> None:
    assert names(resource("aws:wafv2/webAcl:WebAcl", {"ruleJson": text}), "no-public-principal") == []


def test_administration_is_refused_in_an_object_too() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": ["*"], "Resource": "*"}}
    inline = {"inlinePolicies": [{"name": "all", "policy": document}]}
    assert names(resource("aws:iam/role:Role", inline), "no-wildcard-administrator") == ["inlinePolicies[0].policy"]
    administrator = {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]}
    for name, expected in ((PLAN.access.emergency_role, []), ("other", ["managedPolicyArns[0]"])):
        role = resource("aws:iam/role:Role", {"name": name, **administrator})
        assert names(role, "no-wildcard-administrator") == expected


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("aws:cloudformation/stack:Stack", True),
        ("aws:cloudformation/stackSet:StackSet", True),
        ("aws:cloudformation/stackInstances:StackInstances", True),
        ("aws:cloudcontrol/resource:Resource", True),
        ("aws:serverlessrepository/cloudFormationStack:CloudFormationStack", True),
        ("aws:servicecatalog/provisionedProduct:ProvisionedProduct", True),
        ("aws:ssm/document:Document", True),
        ("aws:ssm/association:Association", True),
        ("aws:eks/addon:Addon", True),
        ("aws:elasticbeanstalk/environment:Environment", True),
        ("aws:ssm/parameter:Parameter", False),
        ("aws:sqs/queue:Queue", False),
        ("pulumi:providers:aws", False),
    ],
)
def test_a_type_that_makes_resources_out_of_a_template_is_refused(type_: str, expected: bool) -> None:
    assert bool(names(resource(type_), "resources-declared")) is expected


def test_a_call_that_makes_a_resource_is_refused_in_a_text() -> None:
    step = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:rds:createDBInstance"}
    machine = resource("aws:sfn/stateMachine:StateMachine", {"definition": json.dumps({"States": {"one": step}})})
    assert names(machine, "resources-declared") == ["a call in definition"]
    target = {"target": {"arn": "arn:aws:scheduler:::aws-sdk:ec2:describeInstances"}}
    assert names(resource("aws:scheduler/schedule:Schedule", target), "resources-declared") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.groq.com/openai/v1", True),
        ("https://API.X.AI/v1", True),
        ("https://europe-west3-aiplatform.googleapis.com/v1", True),
        ("https://abc.eu-west-1.aws.endpoints.huggingface.cloud", True),
        ("curl openrouter.ai.", True),
        ("https://ours.openai.azure.us/", True),
        ("https://ours-swedencentral.openai.azure.com/", False),
        ("https://eu.api.openai.com", False),
        ("https://huggingface.co/docs", False),
        ("nvidia.com/gpu", False),
        ("box.ai", False),
        ("us.newmaker.large-model-v1:0", True),
        ("eu.newmaker.large-model-v1:0", False),
        ("us.example.com/page-v1", False),
    ],
)
def test_a_models_host_outside_the_eu_is_refused(text: str, expected: bool) -> None:
    function = resource("aws:lambda/function:Function", {"environment": {"variables": {"URL": text}}})
    assert bool(names(function, "inference-in-eu")) is expected


def locked(**lock: int) -> Family:
    family = database(PLAN)
    for name, value in lock.items():
        family = changed(family, "lock", name, value)
    return family


@pytest.mark.parametrize(
    ("lock", "after", "expected"),
    [
        ({}, DAYS, set()),
        ({"minRetentionDays": DAYS + 1}, DAYS, {"backup-vault-locked"}),
        ({"minRetentionDays": DAYS + 1}, DAYS + 1, set()),
        ({"maxRetentionDays": DAYS}, DAYS + 1, {"backup-vault-locked"}),
        ({"maxRetentionDays": DAYS}, None, {"backup-vault-locked"}),
    ],
)
def test_a_backup_that_its_vaults_lock_refuses_is_never_made(lock: Any, after: object, expected: set[str]) -> None:
    family = changed(locked(**lock), "plan", "rules.0.lifecycle.deleteAfter", after)
    assert policies(family, PLAN) == expected


def test_a_named_vault_is_judged_by_its_own_lock() -> None:
    family = changed(locked(minRetentionDays=DAYS + 1), "vault", "name", "main")
    for name, expected in (("main", {"backup-vault-locked"}), ("another", set())):
        assert policies(changed(family, "plan", "rules.0.targetVaultName", name), PLAN) == expected


@pytest.mark.parametrize(("regions", "expected"), [((HOME,), True), ((HOME, RECOVERY), False)])
def test_one_replica_of_a_bucket_is_in_another_region(regions: tuple[str, ...], expected: bool) -> None:
    family = dict(bucket(PLAN))
    of = family["replication"].props
    rules = [{**of["rules"][0], "destination": {"bucket": Ref(f"copy-{region}", "arn")}} for region in regions]
    family["replication"] = Declared(family["replication"].type, {**of, "rules": rules})
    family |= {f"copy-{region}": Declared(family["bucket"].type, {"region": region}) for region in regions}
    found = judge_stack(declared_as(family, PLAN), PLAN)
    blamed = {one.resource.name for one in found if one.policy.id == "bucket-replicated"}
    assert ("bucket" in blamed) is expected


def test_a_prefix_list_that_is_not_known_yet_gets_a_sentence() -> None:
    rule = {"securityGroupId": "sg-1", "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432, "prefixListId": UNKNOWN}
    ingress = resource("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", rule)
    assert names(ingress, "no-open-ingress") == ["prefixListId"]


REDIRECT = {"type": "redirect", "redirect": {"protocol": "HTTPS", "statusCode": "HTTP_301"}}


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"protocol": "HTTPS"}, []),
        ({"protocol": "TLS"}, []),
        ({"protocol": "HTTP", "defaultActions": [REDIRECT]}, []),
        ({"protocol": "HTTP", "defaultActions": [{"type": "forward"}]}, ["protocol"]),
        ({"protocol": "TCP"}, ["protocol"]),
        ({"defaultActions": [UNKNOWN]}, ["protocol"]),
        ({"protocol": UNKNOWN}, ["protocol"]),
    ],
)
@pytest.mark.parametrize("module", ["lb", "alb"])
def test_a_load_balancer_of_aws_accepts_tls_only(module: str, props: dict[str, Any], expected: list[str]) -> None:
    assert names(resource(f"aws:{module}/listener:Listener", props), "load-balancer-over-tls") == expected


def test_a_host_without_a_role_is_refused_once() -> None:
    family = changed(public_endpoint(PLAN), "host-1", "labels", {"state": "active"})
    assert "pool-redundant" in policies(family, PLAN)  # the others of its pool are too few now
    alone = {"host": family["host-1"], "firewall": family["firewall"], "group": family["group"]}
    assert policies(alone, PLAN) == {"host-labelled"}
