"""The names on which several rooms must agree, each decided once.

The programs in `components/hosts/image/programs/` run on the hosts, where this module does not exist. They write the
paths of their secrets and parameters themselves.
"""

from __future__ import annotations

import re
from typing import Final

APP: Final = "botbrains"
"""The name of the Pulumi project, as `Pulumi.yaml` has it. It begins every other name."""

VAULT: Final = "vault"
PRODUCTION: Final = "prod"
RECOVERY: Final = "dr"
STACKS: Final = (VAULT, PRODUCTION, RECOVERY)
"""The names of the stacks, in the order in which they come up: each stack after those that it needs."""

SOLD_OUT: Final = "BOTBRAINS_SOLD_OUT"
"""The environment variable that names what Hetzner refused although it lists it: TYPE@LOCATION, with commas between.

It is not a setting: `continuity up` takes it from Hetzner's own answers, and forgets it when the update is done.
"""

WITHOUT_GITHUB: Final = "BOTBRAINS_WITHOUT_GITHUB"
"""The environment variable that tells the program to declare nothing at GitHub.

It is not a setting: an outage of GitHub does not belong in a file that is kept.
"""

# -- what belongs to a stack ------------------------------------------------------------------------------------------


def name_prefix(stack: str) -> str:
    """The beginning of the name of each resource of a stack, in every cloud."""
    return f"{APP}-{stack}"


def labels_of(stack: str) -> dict[str, str]:
    """The labels or tags of each resource of a stack, in every cloud."""
    return {"app": APP, "stack": stack}


def secret_name(stack: str, secret: str) -> str:
    """The name in Secrets Manager of one of the application's secrets."""
    return f"{APP}/{stack}/{secret}"


def host_path(stack: str) -> str:
    """The beginning of the names of the hosts' parameters and log groups."""
    return f"/{APP}/{stack}"


# -- roles at AWS, and what tells of them -----------------------------------------------------------------------------

PERSON_ROLE_PREFIX: Final = f"{APP}-person-"


def preview_role(stack: str) -> str:
    """The role with which pull requests look at a stack."""
    return f"{name_prefix(stack)}-preview"


def deploy_role(stack: str) -> str:
    """The role with which approved deployments change a stack."""
    return f"{name_prefix(stack)}-deploy"


def mirror_role(stack: str) -> str:
    """The role that adds bundles of the repository to the mirror, which is in this stack."""
    return f"{name_prefix(stack)}-mirror"


def person_role(account: str) -> str:
    """The everyday role of a person, by the name of their account."""
    return f"{PERSON_ROLE_PREFIX}{account}"


def access_of(stack: str) -> str:
    """The beginning of the names of what decides and records who has access. It is in this stack."""
    return f"{name_prefix(stack)}-access"


def access_alarm(stack: str) -> str:
    """The name of the alarm for emergency access: of its trail, and of the topic that tells people."""
    return f"{access_of(stack)}-alarm"


# -- Pulumi's state ---------------------------------------------------------------------------------------------------

STATE: Final = f"{APP}-state"
"""The beginning of the names of what keeps Pulumi's state. `continuity bootstrap` makes all of it."""

STATE_KEY_ALIAS: Final = f"alias/{STATE}"
"""The key that Pulumi's state is encrypted with."""

_REPLICA: Final = "-replica"
# S3 takes 3 to 63 characters. Dots are left out: S3's TLS certificate does not cover a bucket with a dot in its name.
_LONGEST_STATE_BUCKET: Final = 63 - len(_REPLICA)
_STATE_BUCKET: Final = re.compile(rf"[a-z0-9][a-z0-9-]{{1,{_LONGEST_STATE_BUCKET - 2}}}[a-z0-9]")

STATE_BUCKET_ALLOWED: Final = (
    f"3 to {_LONGEST_STATE_BUCKET} lowercase letters, digits and hyphens, the first and the last one not a hyphen; the"
    f" name does not begin with {APP}-, as the stacks' own buckets do"
)
"""What `is_state_bucket` allows, in words that complete the sentence "allowed is ..."."""


def state_bucket(account: str, configured: str | None) -> str:
    """The bucket of Pulumi's state.

    Args:
        account: the number of the AWS account.
        configured: `botbrains:stateBucket` of the vault's configuration; None when it is not set.
    """
    return configured or f"{STATE}-{account}"


def state_replica(bucket: str) -> str:
    """The replica of the bucket of Pulumi's state."""
    return f"{bucket}{_REPLICA}"


def is_state_bucket(name: object) -> bool:
    """Whether a configured name can be the state bucket's.

    A name that begins as the stacks' names do could fall under what the roles may do with a stack's own buckets.
    """
    return isinstance(name, str) and bool(_STATE_BUCKET.fullmatch(name)) and not name.startswith(f"{APP}-")
