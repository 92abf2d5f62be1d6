"""The policy documents that the stacks declare: what they say, and which partition of AWS they speak of."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import plan
from tests.components.recording import Deployment, configuration, deploy_stack, strings

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

# The test's cloud numbers what it makes in the order of the calls, which is not always the same.
_NUMBER = re.compile(r"(?<=key/)[0-9-]{36}|(?<=secret:rds!db-)\d+|(?<=-)\d{6}(?=\")")


def declared(stack: str, vault: dict[str, Any]) -> Deployment:
    """A stack as an update. Recovery's database is new, so that nothing has to be there to restore it from."""
    changes = {"database.source": {"from": "new"}} if stack == "dr" else {}
    return deploy_stack(stack, config=configuration(stack, changes), vault=vault)


def documents(deployment: Deployment) -> dict[str, str]:
    """Each document by the type, name and property it is declared with: a line for each statement, keys in order."""
    return {
        f"{resource.type} {resource.name} {name}": "\n".join(
            _NUMBER.sub("N", json.dumps(statement, sort_keys=True)) for statement in json.loads(value)["Statement"]
        )
        for resource in deployment.custom
        for name, value in resource.inputs.items()
        if isinstance(value, str) and value.startswith('{"Version"')
    }


@pytest.mark.parametrize("stack", ["vault", "prod", "dr"])
@pytest.mark.usefixtures("aws")
def test_documents_say_what_they_said(stack: str, vault: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    found = documents(declared(stack, vault))
    assert "\n\n".join(f"{where}\n{said}" for where, said in sorted(found.items())) == snapshot


# The partition has one region. The stacks need two, so the second has a name that begins like the first. The service
# is in the first, because the local cloud is asked there for its database.
@pytest.mark.parametrize(
    ("stack", "home", "recovery"),
    [("prod", "eusc-de-east-1", "eusc-de-east-2"), ("dr", "eusc-de-east-2", "eusc-de-east-1")],
)
@pytest.mark.usefixtures("aws")
def test_every_arn_is_of_the_partition_of_its_region(
    stack: str, home: str, recovery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promised = plan.load()
    places = promised.residency.aws.model_copy(
        update={"home_region": home, "recovery_region": recovery, "allowed_regions": (home, recovery)}
    )
    sovereign = promised.model_copy(update={"residency": promised.residency.model_copy(update={"aws": places})})
    monkeypatch.setattr(plan, "load", lambda: sovereign)

    vault = deploy_stack("vault")
    for deployment in (vault, declared(stack, vault.outputs)):
        assert deployment.one("pulumi:providers:aws").inputs["region"].startswith("eusc-")
        words = [word for resource in deployment.custom for word in strings(resource.inputs)]
        assert [word for word in words if "arn:aws:" in word] == []
        assert [word for word in words if "arn:aws-eusc:" in word]
