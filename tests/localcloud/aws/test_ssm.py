"""Managed nodes in the local AWS: how a machine outside gets short-lived credentials of a role, and what stops it."""

from __future__ import annotations

import configparser
import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SdkCredentials
from botocore.exceptions import ClientError
from moto.sts.models import sts_backends

from localcloud.aws import routing
from localcloud.aws.iam.sts import forget_ended
from localcloud.aws.ssm import nodes
from localcloud.hosts.machine import ssm_agent
from localcloud.hosts.machine.ssm_agent import Registration, SsmError
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, local_aws

ROLE = "hosts"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        a_role(running)
        yield running


def a_role(aws: LocalAws, name: str = ROLE, service: str = "ssm.amazonaws.com") -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)


def activation(aws: LocalAws, **asked: Any) -> tuple[str, str]:
    made = aws.client("ssm").create_activation(**{"IamRole": ROLE, **asked})
    return made["ActivationId"], made["ActivationCode"]


def enrolled(aws: LocalAws, **asked: Any) -> Registration:
    return ssm_agent.register(aws.endpoint, HERE, *activation(aws, **asked))


def described(aws: LocalAws, name: str) -> Any:
    (found,) = aws.client("ssm").describe_activations(Filters=[{"FilterKey": "ActivationIds", "FilterValues": [name]}])[
        "ActivationList"
    ]
    return found


def node(aws: LocalAws, registration: Registration) -> Any:
    wanted = [{"Key": "InstanceIds", "Values": [registration.instance_id]}]
    (found,) = aws.client("ssm").describe_instance_information(Filters=wanted)["InstanceInformationList"]
    return found


def code_of(call: Callable[..., Any], *args: Any, **asked: Any) -> str:
    with pytest.raises((ClientError, SsmError)) as refusal:
        call(*args, **asked)
    if isinstance(refusal.value, SsmError):
        return refusal.value.code
    return str(refusal.value.response["Error"]["Code"])


def caller(aws: LocalAws, credentials: ssm_agent.Credentials) -> str:
    """The ARN that the credentials' owner has."""
    client = boto3.client(
        "sts",
        region_name=HERE,
        endpoint_url=aws.endpoint,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
    )
    return str(client.get_caller_identity()["Arn"])


# -- activations ------------------------------------------------------------------------------------------------------


def test_an_activation_has_the_documented_defaults_and_tells_its_code_once(aws: LocalAws) -> None:
    name, code = activation(aws, DefaultInstanceName="api-1", Description="one", Tags=[{"Key": "a", "Value": "b"}])
    assert len(code) == 20
    found = described(aws, name)
    assert code not in str(found)
    assert (found["RegistrationLimit"], found["RegistrationsCount"], found["Expired"]) == (1, 0, False)
    assert (found["ExpirationDate"] - found["CreatedDate"]).total_seconds() == pytest.approx(86400, abs=2)
    assert (found["IamRole"], found["DefaultInstanceName"], found["Description"]) == (ROLE, "api-1", "one")
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    "asked",
    [
        {"IamRole": "nobody"},
        {"IamRole": "deaf"},
        {"RegistrationLimit": 1001},
        {"ExpirationDate": datetime.now(UTC) + timedelta(days=31)},
        {"ExpirationDate": datetime.now(UTC) - timedelta(minutes=1)},
        {"Description": "x" * 257},
    ],
    ids=["no role", "role that does not trust SSM", "limit", "too late", "past", "description"],
)
def test_an_activation_that_cannot_be_is_refused(aws: LocalAws, asked: dict[str, Any]) -> None:
    if asked.get("IamRole") == "deaf":
        a_role(aws, "deaf", "ec2.amazonaws.com")
    assert code_of(activation, aws, **asked) == "ValidationException"


def test_activations_are_filtered_and_listed_in_pages(aws: LocalAws) -> None:
    made = {activation(aws, DefaultInstanceName="paged")[0] for _ in range(5)}
    wanted = [{"FilterKey": "DefaultInstanceName", "FilterValues": ["paged"]}]
    pages = list(
        aws.client("ssm")
        .get_paginator("describe_activations")
        .paginate(Filters=wanted, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["ActivationList"]) for page in pages] == [2, 2, 1]
    assert {each["ActivationId"] for page in pages for each in page["ActivationList"]} == made
    ssm = aws.client("ssm")
    assert code_of(ssm.describe_activations, NextToken="odd") == "InvalidNextToken"
    assert aws.client("ssm", THERE).describe_activations()["ActivationList"] == []


def test_a_deleted_activation_is_gone_and_nobody_registers_with_it(aws: LocalAws) -> None:
    name, code = activation(aws)
    ssm = aws.client("ssm")
    ssm.delete_activation(ActivationId=name)
    assert code_of(ssm.delete_activation, ActivationId=name) == "InvalidActivation"
    assert code_of(ssm.delete_activation, ActivationId="x" * 36) == "InvalidActivationId"
    assert code_of(ssm_agent.register, aws.endpoint, HERE, name, code) == "InvalidActivation"


# -- registration -----------------------------------------------------------------------------------------------------


def test_an_activation_makes_one_node_with_its_name_and_tags(aws: LocalAws) -> None:
    name, code = activation(aws, DefaultInstanceName="api-2", Tags=[{"Key": "pool", "Value": "api"}])
    made = ssm_agent.register(aws.endpoint, HERE, name, code)
    assert made.instance_id.startswith("mi-")
    assert described(aws, name)["RegistrationsCount"] == 1
    found = node(aws, made)
    assert (found["PingStatus"], found["Name"], found["IamRole"]) == ("Online", "api-2", ROLE)
    assert (found["ActivationId"], found["ResourceType"]) == (name, "ManagedInstance")
    tags = aws.client("ssm").list_tags_for_resource(ResourceType="ManagedInstance", ResourceId=made.instance_id)
    assert tags["TagList"] == [{"Key": "pool", "Value": "api"}]
    assert code_of(ssm_agent.register, aws.endpoint, HERE, name, code) == "RegistrationLimitExceeded"


def test_a_wrong_code_region_or_time_makes_no_node(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    name, code = activation(aws)
    assert code_of(ssm_agent.register, aws.endpoint, HERE, name, code[::-1]) == "InvalidActivation"
    assert code_of(ssm_agent.register, aws.endpoint, THERE, name, code) == "InvalidActivation"
    tomorrow = time.time() + 86401
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert described(aws, name)["Expired"] is True
    assert code_of(ssm_agent.register, aws.endpoint, HERE, name, code) == "ActivationExpired"


def test_a_request_that_nobody_signed_needs_the_region_in_its_host() -> None:
    assert routing.needed({"HTTP_HOST": f"ssm.{HERE}.amazonaws.com"}, b"") == (HERE,)


# -- credentials ------------------------------------------------------------------------------------------------------


def test_a_nodes_credentials_are_its_roles_for_an_hour(aws: LocalAws) -> None:
    made = enrolled(aws)
    credentials = ssm_agent.token(made)
    assert credentials.expires_at - time.time() == pytest.approx(3600, abs=5)
    assert caller(aws, credentials).endswith(f":assumed-role/{ROLE}/{made.instance_id}")
    assert ssm_agent.token(made).access_key_id != credentials.access_key_id


def test_what_is_signed_is_the_string_of_signature_version_4() -> None:
    headers = {"host": "ssm.eu-central-1.amazonaws.com", "x-amz-target": "A.B", "content-type": "x/y"}
    request = AWSRequest("POST", "https://ssm.eu-central-1.amazonaws.com/", headers=headers, data=b'{"a":1}')
    sdk = SigV4Auth(SdkCredentials("ID", "secret"), "ssm", HERE)
    request.context["timestamp"] = "20261126T120000Z"
    request.headers["x-amz-date"] = "20261126T120000Z"
    theirs = sdk.string_to_sign(request, sdk.canonical_request(request))
    scope = "20261126/eu-central-1/ssm/aws4_request"
    ours = ssm_agent.string_to_sign(scope, dict(request.headers.items()), b'{"a":1}')
    assert ours == theirs
    credentials = ssm_agent.Credentials("ID", "secret", "", 0)
    assert ssm_agent._SecretSignature(credentials, HERE).of(ours, scope) == sdk.signature(theirs, request)


def test_only_the_key_and_the_machine_that_registered_get_credentials(aws: LocalAws) -> None:
    made, other = enrolled(aws), enrolled(aws)
    stolen = dataclasses.replace(other, instance_id=made.instance_id)
    assert code_of(ssm_agent.token, stolen) == "InvalidSignatureException"
    moved = dataclasses.replace(made, fingerprint=other.fingerprint)
    assert code_of(ssm_agent.token, moved) == "MachineFingerprintDoesNotMatch"
    unknown = dataclasses.replace(made, instance_id="mi-00000000000000000")
    assert code_of(ssm_agent.token, unknown) == "InvalidInstanceId"


def test_a_signature_of_yesterday_is_refused(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    made = enrolled(aws)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 1000)
    assert code_of(ssm_agent.token, made) == "InvalidSignatureException"


def test_credentials_that_have_ended_open_nothing(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    made = enrolled(aws)
    monkeypatch.setenv(nodes.TOKEN_VARIABLE, "1")
    old = ssm_agent.token(made)
    time.sleep(max(0.0, old.expires_at - time.time()) + 0.1)
    assert code_of(caller, aws, old) == "ExpiredToken"
    assert code_of(ssm_agent.ping, made, old) == "ExpiredTokenException"
    monkeypatch.delenv(nodes.TOKEN_VARIABLE)
    assert made.instance_id in caller(aws, ssm_agent.token(made))


def test_sessions_that_ended_long_ago_are_forgotten(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    sts = sts_backends["123456789012"]["aws"]
    old = ssm_agent.token(enrolled(aws))
    now = time.time
    for hours, kept in ((24, True), (26, False)):
        monkeypatch.setattr(time, "time", lambda hours=hours: now() + hours * 3600)
        forget_ended("123456789012", "aws")
        assert (sts.get_assumed_role_from_access_key(old.access_key_id) is not None) is kept


def test_a_running_agent_renews_credentials_before_they_end(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nodes.TOKEN_VARIABLE, "2")
    state, file = tmp_path / "node.json", tmp_path / "credentials"
    ssm_agent.save(enrolled(aws), state)
    command = [sys.executable, "-I", ssm_agent.__file__, "run", "--state", str(state), "--credentials", str(file)]
    agent = subprocess.Popen(command)
    try:
        seen: set[str] = set()
        end = time.monotonic() + 30
        while len(seen) < 3:
            assert time.monotonic() < end
            assert agent.poll() is None
            if file.exists():
                read = configparser.ConfigParser(interpolation=None)
                read.read(file)
                seen.add(read["default"]["aws_access_key_id"])
            time.sleep(0.1)
        session = boto3.Session(**dict(read["default"].items()), region_name=HERE)
        assert session.client("sts", endpoint_url=aws.endpoint).get_caller_identity()["Arn"]
    finally:
        agent.kill()
        agent.wait()


def test_a_node_is_online_as_long_as_it_says_so(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    made, other = enrolled(aws), enrolled(aws)
    credentials = ssm_agent.token(made)
    ssm_agent.ping(made, credentials)
    assert node(aws, made)["PlatformType"] == "Linux"
    assert code_of(ssm_agent.ping, other, credentials) == "AccessDeniedException"
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 601)
    assert node(aws, made)["PingStatus"] == "ConnectionLost"
    ssm_agent.ping(made, credentials)
    assert node(aws, made)["PingStatus"] == "Online"


def test_a_node_that_is_removed_gets_no_more_credentials(aws: LocalAws) -> None:
    made = enrolled(aws)
    ssm = aws.client("ssm")
    ssm.deregister_managed_instance(InstanceId=made.instance_id)
    assert code_of(ssm_agent.token, made) == "InvalidInstanceId"
    assert code_of(ssm.deregister_managed_instance, InstanceId=made.instance_id) == "InvalidInstanceId"


# -- the program ------------------------------------------------------------------------------------------------------


def test_the_program_registers_and_writes_a_profile_beside_others(
    aws: LocalAws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, file = tmp_path / "node.json", tmp_path / ".aws" / "credentials"
    file.parent.mkdir()
    file.write_text("[mine]\naws_access_key_id = kept\n")
    name, code = activation(aws)
    asked = ["--region", HERE, "--activation-id", name, "--activation-code", code, "--endpoint", aws.endpoint]
    assert ssm_agent.main(["register", *asked, "--state", str(state)]) == 0
    assert capsys.readouterr().out.startswith("mi-")
    assert ssm_agent.main(["run", "--once", "--state", str(state), "--credentials", str(file)]) == 0
    assert {each.stat().st_mode & 0o777 for each in (state, file)} == {0o600}
    read = configparser.ConfigParser(interpolation=None)
    read.read(file)
    assert read["mine"]["aws_access_key_id"] == "kept"
    session = boto3.Session(**dict(read["default"].items()), region_name=HERE)
    arn = session.client("sts", endpoint_url=aws.endpoint).get_caller_identity()["Arn"]
    assert arn.endswith(ssm_agent.load(state).instance_id)
    assert ssm_agent.main(["register", *asked, "--state", str(state)]) == 1
    assert "RegistrationLimitExceeded" in capsys.readouterr().err


def test_no_answer_is_told_as_such() -> None:
    with pytest.raises(SsmError, match=r"no answer from http://127\.0\.0\.1:1:"):
        ssm_agent.register("http://127.0.0.1:1", HERE, "a", "b")


# -- after a restart: last, as there is one local AWS in a process ----------------------------------------------------


def test_everything_outlives_a_restart(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        a_role(aws)
        name, code = activation(aws)
        made = enrolled(aws, Tags=[{"Key": "pool", "Value": "api"}])
        credentials = ssm_agent.token(made)
        aws.client("ssm").put_parameter(
            Name="/a/b", Value="one", Type="String", Tags=[{"Key": "owner", "Value": "platform"}]
        )
        logs = aws.client("logs")
        logs.create_log_group(logGroupName="/a/hosts")
        logs.create_log_stream(logGroupName="/a/hosts", logStreamName="api-1")
        event = {"timestamp": int(time.time() * 1000), "message": "hello"}
        logs.put_log_events(logGroupName="/a/hosts", logStreamName="api-1", logEvents=[event])
    with local_aws(tmp_path) as aws:
        ssm = aws.client("ssm")
        assert caller(aws, credentials).endswith(made.instance_id)
        here = dataclasses.replace(made, endpoint=aws.endpoint)
        ssm_agent.ping(here, credentials)
        assert ssm_agent.token(here)
        assert ssm_agent.register(aws.endpoint, HERE, name, code)
        assert ssm.get_parameter(Name="/a/b")["Parameter"]["Value"] == "one"
        ssm.put_parameter(Name="/a/b", Value="two", Type="String", Overwrite=True)
        assert ssm.get_parameter(Name="/a/b")["Parameter"]["Version"] == 2
        assert ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/a/b")["TagList"]
        ssm.add_tags_to_resource(
            ResourceType="ManagedInstance", ResourceId=made.instance_id, Tags=[{"Key": "x", "Value": "y"}]
        )
        events = aws.client("logs").get_log_events(logGroupName="/a/hosts", logStreamName="api-1")["events"]
        assert [each["message"] for each in events] == ["hello"]
