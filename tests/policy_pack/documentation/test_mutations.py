"""Any change to the pack that lets more pass makes a test fail, and any change to a resource that should be refused is.

The first is tried by switching each policy off in turn. The second on what the program itself registers: its protected
properties are taken away, hidden and reversed, one by one, by chance.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from plan import load
from policy_pack import ALL, UNKNOWN, Resource, judge, judge_stack
from policy_pack.documentation.examples import EXAMPLES
from policy_pack.documentation.examples.model import LEFT_OUT, Example
from policy_pack.engine.program import Judged
from stacks.settings.model import parse
from stacks.settings.reading import SettingsError
from tests.components.conftest import aws_in_environment
from tests.components.recording import configuration, deploy_stack
from tests.policy_pack.refusals import check_example

PLAN = load()
POLICY = {policy.id: policy for policy in ALL}


@contextmanager
def switched_off(policy: str) -> Iterator[None]:
    """One policy that finds nothing any more."""
    # It is frozen, as everything that judges is.
    rule = POLICY[policy].rule
    object.__setattr__(POLICY[policy], "rule", lambda *_: iter(()))
    try:
        yield
    finally:
        object.__setattr__(POLICY[policy], "rule", rule)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.policy)
def test_each_policy_that_is_switched_off_is_missed(example: Example) -> None:
    check_example(example, PLAN)
    with switched_off(example.policy), pytest.raises(AssertionError):
        check_example(example, PLAN)
    check_example(example, PLAN)


class Registered(Judged):
    """The judge, remembering what it was asked about."""

    asked: list[Resource]

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        type(self).asked = list(self._resources)
        return super().SignalAndWaitForShutdown(request)


@pytest.fixture(scope="module")
def _clouds() -> Iterator[dict[str, Any]]:
    """What the program asks while it plans is answered by a local AWS; the vault is there already."""
    with aws_in_environment(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("policy_pack.engine.program.Judged", Registered)
        yield deploy_stack("vault").outputs


@pytest.fixture(scope="module")
def production(_clouds: dict[str, Any]) -> list[Resource]:
    """All that the program registers for production and for its repository, as a preview has it."""
    deploy_stack("prod", vault=_clouds, preview=True)
    service = Registered.asked
    deploy_stack("github", vault=_clouds, preview=True)
    return [*service, *Registered.asked]


def settings_allow(changes: dict[str, Any]) -> bool:
    """Whether production's settings can be read with these changes."""
    values = configuration("prod", changes).items()
    ours = {key.removeprefix("botbrains:"): text for key, text in values if key.startswith("botbrains:")}
    try:
        parse(ours, plan=PLAN, stack="prod")
    except SettingsError:
        return False
    return True


ACTIVE, STANDBY = PLAN.redundancy.minimum_active_hosts, PLAN.redundancy.minimum_standby_hosts
allowed = st.fixed_dictionaries(
    {
        "hosts.api.active": st.integers(ACTIVE, ACTIVE + 3),
        "hosts.api.standby": st.integers(STANDBY, STANDBY + 2),
        "hosts.worker.active": st.integers(ACTIVE, ACTIVE + 3),
        "hosts.worker.standby": st.integers(STANDBY, STANDBY + 2),
        "hosts.api.port": (st.integers(1, 65535) | st.sampled_from([1023, 1024, 9000, 65535])).filter(
            lambda port: settings_allow({"hosts.api.port": port})
        ),
        "hosts.api.healthPath": st.sampled_from(["/", "/healthz", "/health/z?full=1"]).filter(
            lambda path: settings_allow({"hosts.api.healthPath": path})
        ),
        "hosts.sshFrom": st.lists(st.sampled_from(["192.0.2.10/32", "198.51.100.0/24"]), min_size=1, unique=True),
        "locations": st.permutations(PLAN.residency.hetzner.home_locations),
        "database.instanceClass": st.sampled_from(["db.m7g.large", "db.t4g.medium"]),
        "database.storageGib": st.integers(20, 300),
        "database.ipRange": st.sampled_from(["10.11.0.0/16", "172.16.4.0/22"]),
        "network.ipRange": st.sampled_from(["10.10.0.0/16", "192.168.0.0/16"]),
        "secrets": st.lists(st.sampled_from(["one", "two", "three"]), min_size=1, unique=True),
    }
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=allowed, preview=st.booleans())
def test_nothing_that_the_settings_and_the_plan_allow_is_refused(
    _clouds: dict[str, Any], changes: dict[str, Any], preview: bool
) -> None:
    # A refusal ends the program, and so the test.
    deploy_stack("prod", config=configuration("prod", changes), vault=_clouds, preview=preview)


PROTECTED = [
    # Where the example's property stands for what is refused when it is left out or not known.
    example
    for example in EXAMPLES
    if example.path and example.left_out and example.unknown and example.hidden is None
]


def resources_like(example: Example, of: list[Resource]) -> list[Resource]:
    """The resources of a stack that are of the type which an example is about."""
    type_ = example.compliant(PLAN)[example.at].type
    return [resource for resource in of if resource.type == type_]


def test_the_program_registers_what_most_examples_are_about(production: list[Resource]) -> None:
    missing = {example.policy for example in PROTECTED if not resources_like(example, production)}
    assert missing == {"table-recoverable"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_protected_property_passes(production: list[Resource], data: st.DataObject) -> None:
    example = data.draw(st.sampled_from([one for one in PROTECTED if resources_like(one, production)]))
    resource = data.draw(st.sampled_from(resources_like(example, production)))
    value = data.draw(st.sampled_from([LEFT_OUT, UNKNOWN, None, example.refused(PLAN), "", -1]))
    # An equal value is not a mutation.
    assume(value_at(resource, example.path) != value)
    mutated = with_value(resource, example.path, value)
    others = [one for one in production if one is not resource]
    note(f"{example.policy}: {example.path} of {resource.name} becomes {value!r}")
    found = {violation.policy.id for violation in judge(mutated, PLAN)}
    found |= {violation.policy.id for violation in judge_stack([*others, mutated], PLAN)}
    assert example.policy in found


def value_at(resource: Resource, path: str) -> object:
    """What a property is; LEFT_OUT where it is not there."""
    part: Any = resource.props
    for name in path.split("."):
        if isinstance(part, list):
            part = part[int(name)] if int(name) < len(part) else LEFT_OUT
        else:
            part = part.get(name, LEFT_OUT) if isinstance(part, Mapping) else LEFT_OUT
    return part


def with_value(resource: Resource, path: str, value: object) -> Resource:
    """A resource with one property changed, and nothing that it would be computed from."""
    *above, last = path.split(".")
    props = copy.deepcopy(dict(resource.props))
    part: Any = props
    for name in above:
        part = part[int(name)] if isinstance(part, list) else part.setdefault(name, {})
    if value is LEFT_OUT:
        part.pop(last, None)
    else:
        part[last] = value
    links = {name: of for name, of in resource.links.items() if name != path.partition(".")[0]}
    return replace(resource, props=props, links=links)
