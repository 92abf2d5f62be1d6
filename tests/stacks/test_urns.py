"""Snapshots of every URN that the stacks declare.

Pulumi knows a resource by its URN, so a changed URN replaces the resource: a host, a key, a database. A change that
only moves code leaves these files as they are. `pytest tests/stacks/test_urns.py --snapshot-update` writes them
after an intended change, and the diff shows what it replaces. They also show which resources Pulumi refuses to delete.
"""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.types import SnapshotIndex

from tests.components.recording import ROOT, Registration, deploy_stack


class UrnFile(SingleFileSnapshotExtension):
    """One text file for each stack."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"

    @classmethod
    def dirname(cls, *, test_location: PyTestLocation) -> str:
        return str(ROOT / "tests/snapshots")

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:
        return f"urns-{index}"


def line(resource: Registration) -> str:
    """A URN, and the options without which the resource can be deleted or left behind."""
    options = {"protect": resource.protect, "retain": resource.retain_on_delete}
    return " ".join([resource.urn, *(name for name, is_set in options.items() if is_set)])


@pytest.mark.parametrize("stack", ["vault", "prod", "github", "dr"])
def test_urns_are_as_before(stack: str, vault_with_backup: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    resources = deploy_stack(stack, vault=vault_with_backup).resources
    assert snapshot(name=stack, extension_class=UrnFile) == "".join(sorted(f"{line(it)}\n" for it in resources))
