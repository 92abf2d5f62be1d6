"""The AWS tables that hosts need: activations, parameters and log groups."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.hosts.machine import ssm_agent
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.provider import changed_inputs
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, a_key, local_aws

ACTIVATION = "aws:ssm/activation:Activation"
PARAMETER = "aws:ssm/parameter:Parameter"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        trust = {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        running.client("iam").create_role(RoleName="hosts", AssumeRolePolicyDocument=document)
        yield running


# -- activations ------------------------------------------------------------------------------------------------------


def test_activation_keeps_code_and_counts_use(aws: LocalAws, cloud: Cloud) -> None:
    made = Made.create(cloud, ACTIVATION, name="api-1", description="api-1 0123", iamRole="hosts", tags={"pool": "api"})
    code = made.outputs["activationCode"]
    assert len(code) == 20
    assert made.outputs["tagsAll"] == {"owner": "platform", "pool": "api"}
    assert (made.outputs["registrationLimit"], made.outputs["registrationCount"]) == (1, 0)
    ssm_agent.register(aws.endpoint, HERE, made.identity, code)
    assert made.read()["registrationCount"] == 1
    assert made.outputs["activationCode"] == code
    made.must_be_as_declared()
    made.delete()
    with pytest.raises(GoneError):
        made.read()
    with pytest.raises(GoneError):
        made.delete()


def test_expired_activation_is_not_drift(aws: LocalAws, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Made.create(cloud, ACTIVATION, iamRole="hosts")
    ssm_agent.register(aws.endpoint, HERE, made.identity, made.outputs["activationCode"])
    tomorrow = time.time() + 90000
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert made.read()["expired"] is True
    assert made.drift() == set()


def test_activation_change_replaces(cloud: Cloud) -> None:
    table = TABLES[ACTIVATION]
    assert table.update is None
    assert {key for key, rule in table.properties.items() if not rule.replaces} == {"tags"}
    moment = datetime.now(UTC) + timedelta(days=2)
    made = Made.create(
        cloud, ACTIVATION, region=THERE, iamRole="hosts", expirationDate=moment.isoformat("T", "seconds")
    )
    assert made.outputs["expirationDate"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert changed_inputs(table.properties, made.inputs, {**made.inputs, "description": "other"}) == ["description"]


def test_activation_unknown_role_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="Nonexistent role"):
        TABLES[ACTIVATION].create(cloud, {"iamRole": "nobody"})


# -- parameters -------------------------------------------------------------------------------------------------------


def test_parameter_changes_and_drift(aws: LocalAws, cloud: Cloud) -> None:
    made = Made.create(
        cloud, PARAMETER, name="/botbrains/t/database", type="String", insecureValue="one", tags={"tier": "1"}
    )
    assert made.outputs["version"] == 1
    assert made.outputs["arn"].endswith(":parameter/botbrains/t/database")
    assert made.outputs["value"] == ""
    made.change(insecureValue="two", description="where the database is", tags={"tier": "2"})
    assert made.outputs["version"] == 2
    made.change(description=None)
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=made.identity, Value="by hand", Type="String", Overwrite=True)
    assert made.drift() == {"insecureValue"}
    made.delete()
    with pytest.raises(GoneError):
        made.read()
    with pytest.raises(GoneError):
        made.delete()


def test_secure_parameter_is_secret(cloud: Cloud) -> None:
    assert TABLES[PARAMETER].properties["value"].secret
    made = Made.create(cloud, PARAMETER, name="/t/secret", type="SecureString", value="one", region=THERE)
    assert made.outputs["keyId"] == "alias/aws/ssm"
    assert made.outputs["insecureValue"] == ""
    made.change(value="two", tier="Advanced")
    with pytest.raises(RefusedError, match="Advanced to Standard"):
        made.change(tier=None)


@pytest.mark.parametrize(
    "values",
    [{}, {"value": "a", "insecureValue": "b"}, {"type": "SecureString", "insecureValue": "b"}],
    ids=["none", "both", "open secret"],
)
def test_parameter_wrong_value_refused(cloud: Cloud, values: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        TABLES[PARAMETER].create(cloud, {"name": "/t/wrong", "type": "String", **values})


def test_existing_parameter_needs_overwrite(aws: LocalAws, cloud: Cloud) -> None:
    aws.client("ssm").put_parameter(Name="/t/there", Value="old", Type="String")
    declared = {"name": "/t/there", "type": "String", "insecureValue": "new"}
    with pytest.raises(ClientError, match="already exists"):
        TABLES[PARAMETER].create(cloud, declared)
    made = Made.create(cloud, PARAMETER, **declared, overwrite=True)
    assert made.outputs["version"] == 2
    assert made.outputs["tagsAll"] == {"owner": "platform"}


# -- log groups -------------------------------------------------------------------------------------------------------


def a_log_key(aws: LocalAws, region: str = HERE) -> str:
    key = a_key(aws, region)
    actions = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    service = {"Service": f"logs.{region}.amazonaws.com"}
    grant = {"Effect": "Allow", "Principal": service, "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
    aws.client("kms", region).put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    return key


def test_log_group_retention_and_key(aws: LocalAws, cloud: Cloud) -> None:
    key, other = a_log_key(aws), a_log_key(aws)
    made = Made.create(cloud, LOG_GROUP, name="/t/hosts", retentionInDays=365, kmsKeyId=key, tags={"tier": "1"})
    assert made.outputs["arn"].endswith(":log-group:/t/hosts")
    assert made.outputs["tagsAll"] == {"owner": "platform", "tier": "1"}
    made.change(retentionInDays=30, kmsKeyId=other, tags={"tier": "2"})
    made.change(retentionInDays=None, kmsKeyId=None)
    logs = aws.client("logs")
    logs.put_retention_policy(logGroupName="/t/hosts", retentionInDays=1)
    assert made.drift() == {"retentionInDays"}
    made.delete()
    with pytest.raises(GoneError):
        made.read()
    with pytest.raises(GoneError):
        made.delete()


def test_log_group_skip_destroy(aws: LocalAws, cloud: Cloud) -> None:
    made = Made.create(cloud, LOG_GROUP, name="/t/kept", region=THERE, skipDestroy=True)
    made.delete()
    assert made.read()["name"] == "/t/kept"


def test_log_group_unusable_key_refused(aws: LocalAws, cloud: Cloud) -> None:
    for number, key in enumerate((a_key(aws), a_log_key(aws, THERE), f"arn:aws:kms:{HERE}:123456789012:key/none")):
        with pytest.raises(ClientError, match="not allowed to be used"):
            TABLES[LOG_GROUP].create(cloud, {"name": f"/t/refused-{number}", "kmsKeyId": key})
