"""The model of a policy: resources, stacks, findings and violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from policy_pack.rules.thresholds import Threshold
from policy_pack.rules.values import UNKNOWN, has_unknown, shown, texts

if TYPE_CHECKING:
    from plan import Plan

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider that deploys a resource: who, and how it is configured."""

    name: str
    type: str
    props: Mapping[str, object]
    urn: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource as the program asks for it, before anything is deployed.

    All of it is plain: `props` has Pulumi's own (camelCase) names, and a value that is not known yet is `UNKNOWN`.
    """

    type: str
    name: str
    props: Mapping[str, object]
    provider: Provider | None = None
    """None for a component, and for a provider, which nothing else deploys."""
    urn: str = ""
    parent: str | None = None
    protect: bool = False
    """Whether Pulumi refuses to delete or replace it."""
    links: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By property, the URNs of what its value is computed from. These are known even where the value is not."""
    inputs: Mapping[str, object] | None = None
    """The properties that the program sets, where `props` has the outputs too; None where `props` has no outputs."""
    part_of: Resource | None = None
    """The resource whose property declares this one. A program writes such a resource inside the other one."""
    place: str = ""
    """The property of `part_of` that declares it."""
    owner: str = ""
    """The property by which a separate resource would name `part_of`."""

    @property
    def declared(self) -> Mapping[str, object]:
        """The properties that the program sets, as far as they are known apart from the outputs."""
        return self.props if self.inputs is None else self.inputs

    @property
    def is_provider(self) -> bool:
        """Whether it is itself a provider."""
        return self.type.startswith(PROVIDERS)

    @property
    def package(self) -> str:
        """The package whose resource, or whose provider, it is: `aws`, `hcloud`."""
        return package_of(self.type)


PROVIDERS: Final = "pulumi:providers:"
"""How the type of a provider begins."""


def package_of(type_: str) -> str:
    """The package of a type: `aws` of `aws:rds/instance:Instance` and of `pulumi:providers:aws`."""
    return type_.removeprefix(PROVIDERS).partition(":")[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule refuses, in the words of the message."""

    property: str
    """The property, by its path in the resource."""
    found: object
    """Its value: None where it is not set, `UNKNOWN` where it is not known yet."""
    allowed: str
    """The allowed values. The text completes "allowed is"."""
    remedy: str
    """The correction, as a sentence."""


Rule: TypeAlias = "Callable[[Resource, Plan], Iterator[Finding]]"
"""Judges one resource by the plan. It never raises, for any properties."""

Fix: TypeAlias = "Callable[[Plan], object]"
"""The one value that complies, where there is only one."""


@dataclass(frozen=True)
class Stack:
    """All resources of a stack."""

    resources: tuple[Resource, ...]

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for resource in self.resources:
            found.setdefault(resource.type, []).append(resource)
        return found

    def of(self, types: Iterable[str]) -> list[Resource]:
        """The resources of these types."""
        return [resource for type_ in types for resource in self._by_type.get(type_, ())]

    def leading_to(self, target: Resource, types: Iterable[str], name: str) -> list[Resource]:
        """The resources of these types whose property `name` leads to `target`."""
        return [resource for resource in self.of(types) if leads(resource, name, target)]


_NAMES: Final = ("id", "arn", "bucket", "identifier", "name")
"""The properties by which one resource names another one."""


def leads(resource: Resource, name: str, target: Resource) -> bool:
    """Whether a property leads to another resource of the stack: its value does, or what the value is computed from.

    A literal counts like a link, since a program may as well name a bucket twice. An unknown value alone does not.
    """
    if resource.part_of is target and name == resource.owner:
        return True
    if target.urn and target.urn in resource.links.get(name, ()):
        return True
    value = resource.props.get(name)
    if value is None or value is UNKNOWN:
        return False
    named = {found for key in _NAMES if isinstance(found := target.props.get(key), str) and found}
    return any(leaf.text in named for leaf in texts(value))


StackRule: TypeAlias = "Callable[[Stack, Plan], Iterator[tuple[Resource, Finding]]]"
"""Judges a stack by the plan, and yields each finding with the resource that it concerns. It never raises."""


@dataclass(frozen=True, kw_only=True)
class _Reasons:
    """The parts that every policy has: its name, reason and remedy."""

    id: str
    """The name in Pulumi's output, in exceptions, and in the pack's configuration."""
    title: str
    """The demand, in one sentence."""
    severity: Severity
    control: str
    """The control of ISO/IEC 27001 that it serves, by its id in the plan."""
    promise: Callable[[Plan], str]
    """The sentence of the plan that it protects."""
    remedy: str
    """The general correction of a violation."""
    thresholds: tuple[Threshold, ...] = ()
    """The numbers and lists that configuration can make stricter than the plan."""
    advisory: bool = False
    """Whether it only advises. It is so for what the plan does not promise and a careful reader would ask for."""


@dataclass(frozen=True, kw_only=True)
class Policy(_Reasons):
    """A rule on a single resource. It is asked before the resource is deployed, so what it refuses never exists."""

    concerns: Callable[[str], bool]
    """Whether resources of a type are judged at all. It is asked before a resource is even looked at."""
    rule: Rule = field(repr=False)
    fixes: Mapping[str, Fix] = field(default_factory=dict)
    """By property, the only value that complies: the pack sets it if it is configured to remediate."""

    asks_again: frozenset[str] | None = frozenset()
    """The properties that it lets pass while they are not known, because it is asked again before they are deployed.
    None for all of them."""

    def undecided(self, resource: Resource) -> list[str]:
        """The properties about which this policy decides at the update."""
        names = resource.props if self.asks_again is None else self.asks_again & resource.props.keys()
        return sorted(name for name in names if has_unknown(resource.props[name]))

    def judge(self, resource: Resource, plan: Plan) -> list[Violation]:
        """Everything that this policy refuses about a resource."""
        if not self.concerns(resource.type):
            return []
        return [violation(self, resource, finding, plan) for finding in self.rule(resource, plan)]


@dataclass(frozen=True, kw_only=True)
class StackPolicy(_Reasons):
    """A rule on a stack as a whole: on what belongs together.

    The engine asks it when a preview or an update is at its end. In a preview that is in time; in an update what is
    incomplete exists by then. So it only demands relations; what one resource alone can be refused for is a `Policy`.
    """

    rule: StackRule = field(repr=False)

    def judge(self, stack: Stack, plan: Plan) -> list[Violation]:
        """Everything that this policy misses in a stack."""
        return [violation(self, resource, finding, plan) for resource, finding in self.rule(stack, plan)]


AnyPolicy = Policy | StackPolicy


@dataclass(frozen=True, slots=True)
class Violation:
    """One finding of a policy on a resource."""

    policy: AnyPolicy
    resource: Resource
    finding: Finding
    promise: str
    """The sentence of the plan that would be broken."""

    @property
    def message(self) -> str:
        """The resource, the property, its value, what is allowed, what to do, and what has been promised."""
        found = self.finding
        return (
            f"{self.resource.type} {self.resource.name!r}: {found.property} is {shown(found.found)};"
            f" allowed is {found.allowed}. {found.remedy} The promise ({self.policy.control}): {self.promise}"
        )


def violation(policy: AnyPolicy, resource: Resource, finding: Finding, plan: Plan) -> Violation:
    """The violation, of the resource that a program declares."""
    if resource.part_of is not None:
        finding = replace(finding, property=f"{resource.place}, read as {finding.property},")
        resource = resource.part_of
    return Violation(policy, resource, finding, policy.promise(plan))


def of_type(*types: str) -> Callable[[str], bool]:
    """Concerns resources of exactly these types."""
    return frozenset(types).__contains__


def of_package(*packages: str) -> Callable[[str], bool]:
    """Concerns every resource of these packages, and their providers."""
    wanted = frozenset(packages)
    return lambda type_: package_of(type_) in wanted
