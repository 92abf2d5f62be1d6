"""A plain preview, without the pack, is refused as with it: by the same policies, in the same words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT, LocalCloud

PACK = ("--policy-pack", "policy_pack")
# The pack alone adds a separate line with the policy's title.
WORDS = re.compile(r"^\s*(?:[a-z-]+: )?([a-z]+:\S+ '[^']+': .* The promise \(.*)$", re.MULTILINE)


def changed(stack: str, into: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """A stack's file with something changed."""
    content = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())
    change(content["config"])
    file = into / f"Pulumi.{stack}.yaml"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def said(text: str) -> set[str]:
    """The words of every violation."""
    return set(WORDS.findall(re.sub(r"\x1b\[[0-9;]*m", "", text)))


def test_a_plain_preview_is_refused_by_the_same_rules_in_the_same_words(
    local_cloud: LocalCloud, tmp_path: Path
) -> None:
    less = {"backupRetentionDays": 7, "replicateBackups": False}
    file = changed("prod", tmp_path, lambda config: config["botbrains:database"].update(less))
    for stack in ("vault", "prod"):
        assert local_cloud.run("pulumi", "stack", "init", stack).returncode == 0
    preview = ("pulumi", "preview", "--stack", "prod", "--config-file", file, "--non-interactive")
    plain, with_pack = local_cloud.run(*preview), local_cloud.run(*preview, *PACK)

    assert plain.returncode != 0
    assert with_pack.returncode != 0
    assert "the continuity policies refuse this deployment: 2 violations" in plain.stdout
    words = said(plain.stdout)
    assert {policy for policy in ("database-backup-retention", "database-replicated") if policy in plain.stdout} == {
        "database-backup-retention",
        "database-replicated",
    }
    assert len(words) == 2
    # The pack has the program's message about the resource. It is not asked about the stack once the program has ended.
    pack = with_pack.stdout.partition("Policies:")[2].partition("Diagnostics:")[0]
    assert "[mandatory]" in pack
    assert "database-backup-retention" in pack
    assert said(pack) == {one for one in words if "backupRetentionPeriod" in one}


def test_a_plain_update_makes_nothing_of_what_is_refused(local_cloud: LocalCloud, tmp_path: Path) -> None:
    """Without a preview before it."""
    file = changed("vault", tmp_path, lambda config: config.update({"botbrains:region": "us-east-1"}))
    update = local_cloud.run("pulumi", "up", "--yes", "--skip-preview", "--stack", "vault", "--config-file", file)
    assert update.returncode != 0
    assert "aws-region-in-eu: pulumi:providers:aws 'aws': region is 'us-east-1'" in update.stdout
    state = json.loads(local_cloud.run("pulumi", "stack", "export", "--stack", "vault").stdout)
    made = {resource["type"] for resource in state["deployment"].get("resources", [])}
    assert not {type_ for type_ in made if type_.startswith(("aws:", "pulumi:providers:aws"))}
