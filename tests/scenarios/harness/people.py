"""The sign-in of the plan's people, with their second factors, and the mail that they receive."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from localcloud.aws.iam.sessions import totp
from tests.conftest import LocalCloud
from tests.scenarios.harness import RECOVERY, aws, localcloud
from tests.scenarios.harness.access import ACCOUNT, PEOPLE, Clients, clients


def confirm_mail(cloud: LocalCloud) -> None:
    """Open the links of the mails with which AWS asks each address to confirm a subscription."""
    localcloud(cloud, "mails", "--confirm")


@contextmanager
def second_factors(cloud: LocalCloud) -> Iterator[Mapping[str, tuple[str, str]]]:
    """A second factor for each person and for the root user; each person's serial number and seed."""
    iam = aws(cloud, "iam")
    root = iam.create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device")["VirtualMFADevice"]
    factors = {}
    for person in PEOPLE:
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName=person)["VirtualMFADevice"]
        serial, seed = device["SerialNumber"], device["Base32StringSeed"].decode()
        codes = {"AuthenticationCode1": totp(seed), "AuthenticationCode2": totp(seed, 0)}
        iam.enable_mfa_device(UserName=person, SerialNumber=serial, **codes)
        factors[person] = (serial, seed)
    try:
        yield factors
    finally:
        for person, (serial, _) in factors.items():
            iam.deactivate_mfa_device(UserName=person, SerialNumber=serial)
            iam.delete_virtual_mfa_device(SerialNumber=serial)
        iam.delete_virtual_mfa_device(SerialNumber=root["SerialNumber"])


@contextmanager
def access_key(cloud: LocalCloud, person: str) -> Iterator[Mapping[str, str]]:
    """An access key of a person."""
    iam = aws(cloud, "iam")
    key: Mapping[str, str] = iam.create_access_key(UserName=person)["AccessKey"]
    try:
        yield key
    finally:
        iam.delete_access_key(UserName=person, AccessKeyId=key["AccessKeyId"])


@contextmanager
def signed_in(cloud: LocalCloud, person: str) -> Iterator[tuple[Clients, dict[str, str]]]:
    """A person's clients, with an access key in place of the console's session, and the code of the second factor."""
    with second_factors(cloud) as factors, access_key(cloud, person) as key:
        serial, seed = factors[person]
        yield clients(cloud, key), {"SerialNumber": serial, "TokenCode": totp(seed)}


def take(of: Clients, role: str, region: str = RECOVERY, name: str = PEOPLE[1], **factor: str) -> Any:
    """Assume a role with a person's own credentials."""
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return of("sts", region).assume_role(RoleArn=arn, RoleSessionName=name, **factor)["Credentials"]


def mails(cloud: LocalCloud) -> list[dict[str, str]]:
    """The mails that the clouds have sent."""
    file = cloud.folder.path / "mail.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
