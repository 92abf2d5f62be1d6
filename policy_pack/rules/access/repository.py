"""The policy on the repository: it is private, and it is archived instead of deleted.

The names and defaults are those of the GitHub provider's version 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.checks import WRITE_IT_OUT, literally
from policy_pack.rules.policy import Finding, Policy, Resource, of_type
from policy_pack.rules.promises import code
from policy_pack.rules.resource_types import REPOSITORY
from policy_pack.rules.values import UNKNOWN

if TYPE_CHECKING:
    from plan import Plan


def _private(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    visibility = resource.props.get("visibility")
    # The older property is read where the newer one is left out.
    if visibility is None and resource.props.get("private") is True:
        visibility = "private"
    if visibility not in ("private", "internal"):
        remedy = WRITE_IT_OUT if visibility is UNKNOWN else "Set it to private. Left out it is public."
        yield Finding("visibility", visibility, "private", remedy)
    remedy = "Set it to true: otherwise deleting the resource deletes the repository and the code in it."
    yield from literally(resource, "archiveOnDestroy", True, remedy)


PRIVATE: Final = Policy(
    id="repository-private",
    title="The repository is private, and is archived instead of deleted.",
    severity="high",
    control="A.5.30",
    promise=code,
    remedy="Set `visibility` to private and `archive_on_destroy` to true.",
    concerns=of_type(REPOSITORY),
    rule=_private,
    fixes={"archiveOnDestroy": lambda _plan: True},
)
