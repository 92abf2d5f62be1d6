"""Every policy's example through Pulumi's own engine and the pack as it is started, in a program that is not ours.

Few runs, and many resources in each: one run for each of the four cases that every policy has.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from localcloud.engine.provide import Engine
from plan import load
from policy_pack import ALL
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.data import database
from policy_pack.documentation.examples.model import Example, Family
from tests.policy_pack.engine import PACK, Project, Said, project

PLAN = load()
HOME = PLAN.residency.aws.home_region
ADVISORY = {policy.id for policy in ALL if policy.advisory}
PREVIEW = ("preview", "--policy-pack", str(PACK))


@pytest.fixture(scope="module")
def unrelated(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project that does not know botBrains and has no plan."""
    with project(engine, tmp_path_factory.mktemp("unrelated")) as made:
        yield made


def preview(of: Project, case: Callable[[Example], Family]) -> Said:
    """A preview of one case of every example at once."""
    of.declare({f"{example.policy}/": case(example) for example in EXAMPLES}, HOME)
    return of.run(*PREVIEW)


def by_example(said: Said) -> Mapping[str, set[str]]:
    """The policies with a message about the resources of each example."""
    found: dict[str, set[str]] = {example.policy: set() for example in EXAMPLES}
    for policy, resource in said.refused | said.advised:
        if "/" in resource:
            found[resource.partition("/")[0]].add(policy)
    return found


def test_what_complies_is_let_pass_by_every_policy(unrelated: Project) -> None:
    said = preview(unrelated, lambda example: example.compliant(PLAN))
    assert said.diagnostics == []
    assert said.returncode == 0, said.text
    # A value that only an update can know is not a violation, and is reported.
    assert re.search(r"decides at the update about [0-9]+ values of [0-9]+ resources .*database-encrypted", said.text)


def test_each_policy_refuses_its_example_by_name_and_nothing_else_does(unrelated: Project) -> None:
    said = preview(unrelated, lambda example: example.broken(PLAN))
    assert said.returncode != 0
    assert by_example(said) == {example.policy: {example.policy} for example in EXAMPLES}
    assert {policy for policy, _ in said.advised} == ADVISORY
    promises = {policy.id: policy.promise(PLAN) for policy in ALL}
    for one in said.diagnostics:
        assert f"[{one['level']}]" in said.text
        assert promises[one["policyName"]] in one["message"]
        assert one["policyName"] in said.text


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (lambda example: example.without(PLAN), lambda example: example.left_out),
        (lambda example: example.not_known(PLAN), lambda example: example.unknown),
    ],
    ids=["left out", "not known"],
)
def test_nothing_passes_for_being_left_out_or_not_known(
    unrelated: Project, case: Callable[[Example], Family], expected: Callable[[Example], bool]
) -> None:
    said = preview(unrelated, case)
    spoke = by_example(said)
    for example in EXAMPLES:
        assert (example.policy in spoke[example.policy]) is expected(example), example.policy
    # No policy failed to run, which the SDK reports for a policy that meets an unknown value.
    assert not [one for one in said.diagnostics if "can't run policy" in one["message"]]
    assert {policy for policy, _ in said.advised} <= ADVISORY


def test_configuration_makes_a_threshold_stricter_and_never_looser(unrelated: Project) -> None:
    unrelated.declare({"it/": database(PLAN)}, HOME)
    days = PLAN.retention.replicated_backup_days
    stricter = unrelated.run(*PREVIEW, config={"database-replica-retention": {"days": days + 1}})
    assert {policy for policy, _ in stricter.refused} == {"database-replica-retention"}
    assert f"allowed is {days + 1} days or more" in stricter.text
    looser = unrelated.run(*PREVIEW, config={"database-replica-retention": {"days": days - 1}})
    assert looser.returncode != 0
    assert "database-replica-retention" in looser.text
    assert f"greater than or equal to {days}" in looser.text


@pytest.mark.parametrize("level", ["advisory", "disabled"])
def test_configuration_switches_no_policy_off(unrelated: Project, level: str) -> None:
    unrelated.declare({"it/": database(PLAN)}, HOME)
    said = unrelated.run(*PREVIEW, config={"database-protected": level})
    assert said.returncode != 0
    assert "database-protected cannot be switched off or made advice by configuration" in said.text


def test_a_policy_can_set_the_one_value_that_complies_if_it_is_told_to(unrelated: Project) -> None:
    policies = ("database-protected", "database-backup-retention", "hetzner-protected", "key-rotated")
    broken = {f"{example.policy}/": example.broken(PLAN) for example in EXAMPLES if example.policy in policies}
    unrelated.declare(broken, HOME)
    assert {policy for policy, _ in unrelated.run(*PREVIEW).refused} == set(policies)
    said = unrelated.run(*PREVIEW, config=dict.fromkeys(policies, "remediate"))
    assert said.returncode == 0, said.text
    assert said.refused == set()


def test_an_exception_lets_pass_what_it_names_as_advice_until_its_end(unrelated: Project, tmp_path: Path) -> None:
    """In a copy of the pack, because the file is part of the pack."""
    for name in ("plan", "policy_pack"):
        shutil.copytree(PACK.parent / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    example = next(one for one in EXAMPLES if one.policy == "database-multi-az")
    unrelated.declare({"it/": example.broken(PLAN)}, HOME)
    today = datetime.now(UTC).date()
    entry = {
        "policy": example.policy,
        "stack": "dev",
        "resource": "aws:rds/instance:Instance::it/database",
        "reason": "one zone is out of machines",
        "approved_by": PLAN.activation.by[0],
        "approved": today - timedelta(days=30),
        "expires": today + timedelta(days=30),
    }
    file = tmp_path / "policy_pack" / "exceptions.yaml"
    file.write_text(yaml.safe_dump({"exceptions": [entry]}))
    said = unrelated.run("preview", "--policy-pack", str(file.parent))
    assert said.returncode == 0, said.text
    assert (said.refused, said.advised) == (set(), {("database-multi-az", "it/database")})
    assert "one zone is out of machines" in said.text

    file.write_text(yaml.safe_dump({"exceptions": [{**entry, "expires": today}]}))
    said = unrelated.run("preview", "--policy-pack", str(file.parent))
    assert said.returncode != 0
    assert {policy for policy, _ in said.refused} == {"database-multi-az", "exceptions-valid"}


def test_a_plan_that_is_wrong_is_refused_with_its_mistake(unrelated: Project, tmp_path: Path) -> None:
    for name in ("plan", "policy_pack"):
        shutil.copytree(PACK.parent / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    file = tmp_path / "plan" / "plan.yaml"
    file.write_text(file.read_text().replace("database_backup_days: 35", "database_backup_days: 36"))
    unrelated.declare({"it/": database(PLAN)}, HOME)
    said = unrelated.run("preview", "--policy-pack", str(tmp_path / "policy_pack"))
    assert said.returncode != 0
    assert "retention.database_backup_days is 36" in said.text
