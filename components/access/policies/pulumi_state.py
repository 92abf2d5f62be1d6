"""Permissions on the state of Pulumi: its objects in the bucket and in the replica, and the key that encrypts them."""

from __future__ import annotations

from typing import Final

from components.aws.iam_documents import AccountScope, Statement, allow
from plan.names import APP, STATE_KEY_ALIAS, state_replica

_FOLDER: Final = ".pulumi"


def read_state(scope: AccountScope, state_bucket: str) -> list[Statement]:
    """Permissions to read the state of every stack, but not to decrypt the secrets in it.

    The key encrypts both: S3 uses it for the objects, and Pulumi for the secrets in them. With the condition, only S3
    may decrypt for the role.
    """
    return [
        allow(
            "ReadTheState",
            ["s3:GetObject", "s3:GetObjectVersion"],
            scope.buckets(*(f"{bucket}/{_FOLDER}/*" for bucket in (state_bucket, state_replica(state_bucket)))),
        ),
        _use_key(scope, "kms:Decrypt", via_s3=True),
    ]


def write_state(scope: AccountScope, stack: str, state_bucket: str) -> list[Statement]:
    """Permissions to write the state of one stack, and to decrypt the secrets in the state of each.

    Every role that has them also reads the state of all stacks, by `read_state`.
    """
    # The state, and its history, backups and locks.
    files = [f"{_FOLDER}/*/{APP}/{stack}.json*", f"{_FOLDER}/*/{APP}/{stack}/*"]
    return [
        # To release a lock, Pulumi deletes its object. The bucket keeps a version of it, like of every object.
        allow(
            "WriteTheState",
            ["s3:DeleteObject", "s3:PutObject"],
            # The replica as well: Pulumi works from it while the recovery region is lost.
            scope.buckets(
                *(f"{bucket}/{file}" for bucket in (state_bucket, state_replica(state_bucket)) for file in files)
            ),
        ),
        _use_key(scope, "kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
    ]


def decrypt_state(scope: AccountScope) -> list[Statement]:
    """Permissions to decrypt the secrets in the state of every stack."""
    return [_use_key(scope, "kms:Decrypt")]


def _use_key(scope: AccountScope, *actions: str, via_s3: bool = False) -> Statement:
    service = {"StringLike": {"kms:ViaService": "s3.*"}} if via_s3 else {}
    return allow(
        "UseTheStatesKey" + "".join(action.partition(":")[2] for action in actions) + ("ViaS3" if via_s3 else ""),
        actions,
        scope.arns("kms", "key/*"),
        {"ForAnyValue:StringEquals": {"kms:ResourceAliases": STATE_KEY_ALIAS}, **service},
    )
