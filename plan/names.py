"""The names that several packages share, each defined once.

The programs in `components/hosts/image/programs/` run on the hosts, where this module does not exist. They build the
paths of their secrets and parameters themselves.
"""

from __future__ import annotations

import re
from typing import Final

APP: Final = "botbrains"
"""The name of the Pulumi project in `Pulumi.yaml`. Every other name begins with it."""

VAULT: Final = "vault"
PRODUCTION: Final = "prod"
RECOVERY: Final = "dr"
GITHUB: Final = "github"
STACKS: Final = (VAULT, PRODUCTION, GITHUB, RECOVERY)
"""The names of the stacks, in the order of deployment: each stack after the stacks that it needs."""

SOLD_OUT: Final = "BOTBRAINS_SOLD_OUT"
"""The environment variable with the offers that Hetzner lists but refused: TYPE@LOCATION, separated by commas.

This is not a setting: `continuity up` sets it from Hetzner's answers, for one update only.
"""

HIDDEN: Final = "[hidden]"
"""The text that replaces each secret in a copy of the state (`continuity ci preview`, `continuity drift`)."""

NEEDS_REFRESH: Final = "`pulumi up --refresh` sets these values."
"""The sentence with which the program warns that an update with a refresh has to follow. `continuity up` runs it."""

# -- names of a stack's resources -------------------------------------------------------------------------------------


def name_prefix(stack: str) -> str:
    """The prefix of the name of each resource of a stack, in every cloud."""
    return f"{APP}-{stack}"


def labels_of(stack: str) -> dict[str, str]:
    """The labels or tags of each resource of a stack, in every cloud."""
    return {"app": APP, "stack": stack}


def bucket_name(name: str, account: str) -> str:
    """The name of a bucket. It ends with the account's number, because every account shares the names of buckets."""
    return f"{name}-{account}"


def secret_name(stack: str, secret: str) -> str:
    """The name in Secrets Manager of one of the application's secrets."""
    return f"{APP}/{stack}/{secret}"


DATABASE_USER: Final = f"{APP}_app"
"""The application's own user in the database. A worker host creates it."""

DATABASE_USER_SECRET: Final = "database"  # noqa: S105 - a secret's name
"""The secret with the name and password of the application's own database user. A worker host sets its value."""


def host_path(stack: str) -> str:
    """The prefix of the names of the hosts' parameters and log groups."""
    return f"/{APP}/{stack}"


# -- roles at AWS, and the alarm of emergency access -----------------------------------------------------------------

PERSON_ROLE_PREFIX: Final = f"{APP}-person-"


def preview_role(stack: str) -> str:
    """The role with which pull requests preview a stack."""
    return f"{name_prefix(stack)}-preview"


def deploy_role(stack: str) -> str:
    """The role with which approved deployments change a stack."""
    return f"{name_prefix(stack)}-deploy"


def mirror_role(stack: str) -> str:
    """The role that adds bundles of the repository to the mirror. The mirror is in this stack."""
    return f"{name_prefix(stack)}-mirror"


def person_role(account: str) -> str:
    """The everyday role of a person, by account name."""
    return f"{PERSON_ROLE_PREFIX}{account}"


def access_of(stack: str) -> str:
    """The prefix of the names of the resources that control and record access. They are in this stack."""
    return f"{name_prefix(stack)}-access"


def access_alarm(stack: str) -> str:
    """The name of the alarm for emergency access: of its trail, and of the topic that notifies people."""
    return f"{access_of(stack)}-alarm"


def alarms_of(stack: str) -> str:
    """The prefix of the names of the alarms for copies in a stack's region. A separate topic has this name."""
    return f"{name_prefix(stack)}-alarms"


# -- Pulumi's state ---------------------------------------------------------------------------------------------------

STATE: Final = f"{APP}-state"
"""The prefix of the names of the resources that store Pulumi's state. `continuity bootstrap` creates all of them."""

STATE_KEY_ALIAS: Final = f"alias/{STATE}"
"""The alias of the key that encrypts Pulumi's state."""

_REPLICA: Final = "-replica"
# S3 accepts 3 to 63 characters. Dots are refused: S3's TLS certificate does not cover a bucket with a dot in its name.
_LONGEST_STATE_BUCKET: Final = 63 - len(_REPLICA)
_STATE_BUCKET: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{_LONGEST_STATE_BUCKET - 2}}}[a-z0-9]")

STATE_BUCKET_ALLOWED: Final = (
    f"3 to {_LONGEST_STATE_BUCKET} lowercase letters, digits and hyphens, the first and the last one not a hyphen; the"
    f" name does not begin with {APP}-, as the stacks' own buckets do"
)
"""The names that `is_state_bucket` allows, as the end of a sentence that begins with "allowed is"."""


def state_bucket(account: str, configured: str | None) -> str:
    """Return the name of the bucket with Pulumi's state.

    Args:
        account: the number of the AWS account.
        configured: `botbrains:stateBucket` of the vault's configuration. `None` if it is not set.
    """
    return configured or f"{STATE}-{account}"


def state_replica(bucket: str) -> str:
    """The name of the replica of the bucket with Pulumi's state."""
    return f"{bucket}{_REPLICA}"


def is_state_bucket(name: object) -> bool:
    """Whether a configured name is allowed for the state bucket.

    A name with the prefix of the stacks' names could match the roles' permissions on a stack's own buckets.
    """
    return isinstance(name, str) and bool(_STATE_BUCKET.fullmatch(name)) and not name.startswith(f"{APP}-")
