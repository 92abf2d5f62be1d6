"""A local AWS for tests of the state backend, and the calls that they share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient

import plan
from continuity.state_backend.config import StateBackendConfig, resolve_config
from continuity.state_backend.setup import apply, inspect
from plan.names import STATE_KEY_ALIAS
from tests.localcloud.aws_harness import HERE, THERE, LocalAws

DAYS = plan.load().retention.object_version_days
BUCKET = "botbrains-state-123456789012"
REPLICA = f"{BUCKET}-replica"
KEYS, BUCKETS = {THERE: "state key", HERE: "replica key"}, {BUCKET: "state bucket", REPLICA: "replica bucket"}
PATHS = "s3ForcePathStyle=true"
READING = ("Get", "List", "Head", "Describe")


def use(running: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": "LKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


@functools.cache
def the_config(endpoint: str | None = None) -> StateBackendConfig:
    """Clients take longer to make than to use. They know nothing of earlier calls."""
    return resolve_config(plan.load(), {})


def bootstrap() -> None:
    apply(the_config(os.environ["AWS_ENDPOINT_URL"]), say=print)


def findings() -> list[tuple[str, str]]:
    """The findings: the kind of resource, and its property."""
    found = inspect(the_config(os.environ["AWS_ENDPOINT_URL"]))
    print(*(finding.sentence() for finding in found.findings), sep="\n")
    assert not found.unknown
    return [(finding.resource.kind, finding.property) for finding in found.findings]


class Calls:
    """Records the mutating calls. With `last`, it interrupts the program after that number of calls."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int | None = None) -> None:
        self.made: list[str] = []
        original = BaseClient._make_api_call

        def noting(client: Any, operation: str, asked: Any) -> Any:
            answer = original(client, operation, asked)
            if not operation.startswith(READING):
                self.made.append(operation)
                if len(self.made) == last:
                    raise KeyboardInterrupt
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", noting)


Break = Callable[[LocalAws], Any]


def key_of(aws: LocalAws, region: str) -> str:
    return str(aws.client("kms", region).describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["KeyId"])
