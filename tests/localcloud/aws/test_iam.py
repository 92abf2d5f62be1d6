"""IAM in the local AWS: policies, boundaries, conditions, sessions, and events about calls."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.aws.iam.actions import calls
from localcloud.aws.iam.evaluation import Call, Decision, UnknownOperatorError, decide, decide_with
from localcloud.aws.iam.oidc_tokens import Issuers
from localcloud.aws.iam.requests import parse_request
from localcloud.aws.iam.sessions import totp
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, local_aws

ACCOUNT = "123456789012"
ISSUER = "https://issuer.example.com"


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **each} for each in statements]}


@pytest.mark.parametrize(
    ("statements", "call", "decision"),
    [
        ([{"Action": "s3:Get*"}], Call("s3:GetObject"), Decision.ALLOWED),
        ([{"Action": "S3:getobject"}], Call("s3:GetObject"), Decision.ALLOWED),
        ([{"Action": ["s3:Get*"]}], Call("s3:PutObject"), Decision.NEITHER),
        ([{"NotAction": "s3:Get*"}], Call("s3:PutObject"), Decision.ALLOWED),
        ([{"NotAction": "s3:Get*"}], Call("s3:GetObject"), Decision.NEITHER),
        # a denial beats every allowance
        ([{"Action": "*"}, {"Effect": "Deny", "Action": "s3:Del*"}], Call("s3:DeleteObject"), Decision.DENIED),
        # every thing that a call touches has to be allowed
        ([{"Action": "*", "Resource": "arn:a:*"}], Call("a:Do", ("arn:a:1", "arn:a:2")), Decision.ALLOWED),
        ([{"Action": "*", "Resource": "arn:a:*"}], Call("a:Do", ("arn:a:1", "arn:b:2")), Decision.NEITHER),
        ([{"Action": "*", "Resource": "arn:a:?"}], Call("a:Do", ("arn:a:12",)), Decision.NEITHER),
        ([{"Action": "*", "Resource": "arn:a:[1]"}], Call("a:Do", ("arn:a:1",)), Decision.NEITHER),
        ([{"Action": "*", "NotResource": "arn:a:*"}], Call("a:Do", ("arn:a:1",)), Decision.NEITHER),
        # an unknown variable matches nothing
        ([{"Action": "*", "Resource": "u/${aws:username}"}], Call("a:Do", ("u/ann",)), Decision.NEITHER),
        (
            [{"Action": "*", "Resource": "u/${aws:username}"}],
            Call("a:Do", ("u/ann",), {"aws:username": ("ann",)}),
            Decision.ALLOWED,
        ),
    ],
    ids=str,
)
def test_what_policies_say(statements: list[dict[str, Any]], call: Call, decision: Decision) -> None:
    assert decide(call, [policy(*statements)]) is decision


@pytest.mark.parametrize(
    ("condition", "known", "holds"),
    [
        ({"StringEquals": {"aws:RequestedRegion": ["a", "b"]}}, {"aws:requestedregion": ("b",)}, True),
        ({"StringEquals": {"aws:RequestedRegion": ["a", "b"]}}, {"aws:requestedregion": ("c",)}, False),
        # what is not known is not equal to anything, and nothing of it is different
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"k": "a"}}, {"k": ("b",)}, False),
        ({"StringNotEquals": {"k": ["a", "b"]}}, {"k": ("b",)}, False),
        ({"StringLike": {"k": "repo:*:main"}}, {"k": ("repo:x:main",)}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": True}}, {"aws:multifactorauthpresent": ("true",)}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, {"aws:multifactorauthage": ("3600",)}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, {"k": ("a", "b")}, True),
        ({"ForAllValues:StringEquals": {"k": "a"}}, {"k": ("a", "b")}, False),
        # all of several have to hold
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": ("a",), "l": ("c",)}, False),
    ],
    ids=str,
)
def test_what_conditions_ask(condition: dict[str, Any], known: dict[str, tuple[str, ...]], holds: bool) -> None:
    decision = decide(Call("a:Do", context=known), [policy({"Action": "*", "Condition": condition})])
    assert decision is (Decision.ALLOWED if holds else Decision.NEITHER)


def test_a_condition_that_is_not_evaluated_here_lets_nothing_through() -> None:
    with pytest.raises(UnknownOperatorError, match="DateGreaterThan"):
        decide(Call("a:Do"), [policy({"Action": "*", "Condition": {"DateGreaterThan": {"k": "2026-01-01"}}})])


def test_a_boundary_bounds_and_grants_nothing() -> None:
    everything, reading = policy({"Action": "*"}), policy({"Action": "s3:Get*"})
    assert decide_with(Call("s3:GetObject"), [everything], [reading]) is Decision.ALLOWED
    assert decide_with(Call("s3:PutObject"), [everything], [reading]) is Decision.NEITHER
    assert decide_with(Call("s3:GetObject"), [], [everything]) is Decision.NEITHER
    assert decide_with(Call("s3:GetObject"), [everything], []) is Decision.NEITHER


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        ("GET s3 /", [("s3:ListAllMyBuckets", "*")]),
        ("GET s3 /b?list-type=2&prefix=x", [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("HEAD s3 /b", [("s3:ListBucket", "arn:aws:s3:::b")]),
        ("PUT s3 /b", [("s3:CreateBucket", "arn:aws:s3:::b")]),
        ("PUT s3 /b?lifecycle", [("s3:PutLifecycleConfiguration", "arn:aws:s3:::b")]),
        ("GET s3 /b?object-lock", [("s3:GetBucketObjectLockConfiguration", "arn:aws:s3:::b")]),
        ("GET s3 /b/k/l", [("s3:GetObject", "arn:aws:s3:::b/k/l")]),
        ("GET s3 /b/k?versionId=1", [("s3:GetObjectVersion", "arn:aws:s3:::b/k")]),
        ("PUT s3 /b/k", [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("PUT s3 /b/k?partNumber=1&uploadId=x", [("s3:PutObject", "arn:aws:s3:::b/k")]),
        ("DELETE s3 /b/k", [("s3:DeleteObject", "arn:aws:s3:::b/k")]),
        ("DELETE s3 /b/k?versionId=1", [("s3:DeleteObjectVersion", "arn:aws:s3:::b/k")]),
        ("DELETE s3 /b/k?uploadId=x", [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")]),
        ("POST s3 /b?delete", [("s3:DeleteObject", "arn:aws:s3:::b/*")]),
        ("PUT s3 /b/k copied", [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::from/x y")]),
        (
            "PUT backup /backup-vaults/v/vault-lock",
            [("backup:PutBackupVaultLockConfiguration", f"arn:aws:backup:{HERE}:{ACCOUNT}:backup-vault:v")],
        ),
        ("GET backup /backup/plans/p/", [("backup:GetBackupPlan", f"arn:aws:backup:{HERE}:{ACCOUNT}:backup-plan:p")]),
    ],
)
def test_what_a_request_without_a_name_for_its_call_is(request_line: str, expected: list[tuple[str, str]]) -> None:
    method, service, target, *copied = request_line.split(" ")
    path, _, query = target.partition("?")
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    if copied:
        environ["HTTP_X_AMZ_COPY_SOURCE"] = "/from/x%20y?versionId=1"
    asked = parse_request(service, "", environ, b"", HERE, ACCOUNT)
    assert [(call.action, *call.resources) for call in calls(asked)] == expected


# -- the service ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws(enforce_iam=True) as running:
        yield running


def trust(principal: dict[str, Any], action: str, condition: dict[str, Any] | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition or {}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def session(aws: LocalAws, credentials: dict[str, str]) -> Callable[[str], Any]:
    return lambda service: boto3.client(
        service,
        region_name=THERE,
        endpoint_url=aws.endpoint,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )


def test_session_ends_by_the_clock_of_the_clouds(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    role = aws.client("iam").create_role(
        RoleName="short", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}, "sts:AssumeRole")
    )["Role"]["Arn"]
    monkeypatch.setenv("LOCALCLOUD_CLOCK", "600")
    credentials = aws.client("sts", THERE).assume_role(RoleArn=role, RoleSessionName="job", DurationSeconds=3600)[
        "Credentials"
    ]
    caller = session(aws, credentials)("sts")
    assert caller.get_caller_identity()["Arn"].endswith("/job")
    time.sleep(6.1)
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller.get_caller_identity()


def test_a_role_does_what_its_policies_say_within_its_boundary(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    limit = iam.create_policy(
        PolicyName="limit",
        PolicyDocument=json.dumps(
            policy({"Action": ["kms:*", "iam:*"]}, {"Effect": "Deny", "Action": "iam:DeleteRolePermissionsBoundary"})
        ),
    )["Policy"]["Arn"]
    arn = iam.create_role(
        RoleName="worker",
        AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/deployer"}, "sts:AssumeRole"),
        PermissionsBoundary=limit,
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=json.dumps(policy({"Action": "*"})))
    with pytest.raises(ClientError, match="AccessDenied"):
        session(aws, key)("kms").create_key()
    taken = session(aws, key)("sts").assume_role(RoleArn=arn, RoleSessionName="work")["Credentials"]
    client = session(aws, taken)
    assert client("kms").create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").list_buckets()
    with pytest.raises(ClientError, match="AccessDenied"):
        client("iam").delete_role_permissions_boundary(RoleName="worker")
    # A limit that is gone lifts nothing.
    iam.delete_role_permissions_boundary(RoleName="worker")
    assert client("s3").list_buckets()["Buckets"] == []
    iam.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=f"{limit}-that-is-gone")
    with pytest.raises(ClientError, match="AccessDenied"):
        client("kms").create_key()
    with pytest.raises(ClientError, match="security token"):
        session(aws, {**taken, "SessionToken": "another"})("kms").create_key()
    with pytest.raises(ClientError, match="security token"):
        session(aws, {"AccessKeyId": "AKIANOBODY", "SecretAccessKey": "x"})("kms").create_key()


def enter(aws: LocalAws, token: str, role: str = "workflow", **asked: Any) -> Any:
    return aws.client("sts", THERE).assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="job", WebIdentityToken=token, **asked
    )


def test_a_token_lets_in_when_issuer_audience_subject_and_signature_are_right(
    aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> None:
    iam, issuers = aws.client("iam"), aws.application.issuers
    right = {"aud": "sts.amazonaws.com", "sub": "repo:a@1/b@2:environment:prod"}
    with pytest.raises(ClientError, match="No OpenIDConnect provider"):
        enter(aws, issuers.sign(ISSUER, right))
    provider = iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"])
    host = ISSUER.removeprefix("https://")
    condition = {"StringEquals": {f"{host}:aud": right["aud"], f"{host}:sub": right["sub"]}}
    iam.create_role(
        RoleName="workflow",
        AssumeRolePolicyDocument=trust(
            {"Federated": provider["OpenIDConnectProviderArn"]}, "sts:AssumeRoleWithWebIdentity", condition
        ),
    )
    credentials = enter(aws, issuers.sign(ISSUER, right))["Credentials"]
    assert session(aws, credentials)("sts").get_caller_identity()["Arn"].endswith(":assumed-role/workflow/job")

    for claims in (
        {**right, "sub": "repo:a@1/b@3:environment:prod"},
        {**right, "sub": "repo:a@1/b@2:environment:prod2"},
        {**right, "sub": "repo:a@1/b@2:ref:refs/heads/main"},
    ):
        with pytest.raises(ClientError, match="Not authorized to perform sts:AssumeRoleWithWebIdentity"):
            enter(aws, issuers.sign(ISSUER, claims))
    with pytest.raises(ClientError, match="Incorrect token audience"):
        enter(aws, issuers.sign(ISSUER, {**right, "aud": "another"}))
    with pytest.raises(ClientError, match="ExpiredToken"):
        enter(aws, issuers.sign(ISSUER, {**right, "exp": int(time.time()) - 1}))
    with pytest.raises(ClientError, match="has no key"):
        enter(aws, Issuers(tmp_path_factory.mktemp("forger")).sign(ISSUER, right))
    head, _, signature = issuers.sign(ISSUER, {**right, "sub": "x"}).split(".")
    with pytest.raises(ClientError, match="not signed by"):
        enter(aws, ".".join([head, issuers.sign(ISSUER, right).split(".")[1], signature]))
    with pytest.raises(ClientError, match="not a JSON Web Token"):
        enter(aws, "nonsense")
    with pytest.raises(ClientError, match="Not authorized"):
        enter(aws, issuers.sign(ISSUER, right), role="nowhere")
    with pytest.raises(ClientError, match="MaxSessionDuration"):
        enter(aws, issuers.sign(ISSUER, right), DurationSeconds=7200)


def test_emergency_role_needs_second_factor(aws: LocalAws) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    role = iam.create_role(
        RoleName="emergency",
        AssumeRolePolicyDocument=trust(
            {"AWS": f"arn:aws:iam::{ACCOUNT}:user/ann"},
            "sts:AssumeRole",
            {
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "StringEquals": {"aws:RequestedRegion": THERE},
                "StringLike": {"sts:RoleSessionName": "${aws:username}"},
            },
        ),
    )["Role"]["Arn"]

    def take(region: str = THERE, name: str = "ann", **factor: str) -> Any:
        client = boto3.client(
            "sts",
            region_name=region,
            endpoint_url=aws.endpoint,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        return client.assume_role(RoleArn=role, RoleSessionName=name, **factor)

    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="ann")["VirtualMFADevice"]
    serial, seed = made["SerialNumber"], made["Base32StringSeed"].decode()
    shown: dict[str, str] = {"SerialNumber": serial, "TokenCode": totp(seed)}
    with pytest.raises(ClientError, match="is not a device of"):
        take(**shown)
    iam.enable_mfa_device(
        UserName="ann", SerialNumber=serial, AuthenticationCode1=totp(seed), AuthenticationCode2=totp(seed, 0)
    )
    wrong = f"{(int(totp(seed)) + 1) % 1_000_000:06}"
    for region, name, factor in (
        (THERE, "ann", {}),
        (THERE, "ann", {**shown, "TokenCode": wrong}),
        (HERE, "ann", shown),
        (THERE, "bob", shown),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            take(region, name, **factor)
    ends = take(**shown)["Credentials"]["Expiration"]
    assert ends - datetime.now(ends.tzinfo) <= timedelta(hours=1)
