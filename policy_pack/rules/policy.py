"""What a policy is, what it judges, and what it says about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from plan import Plan
from policy_pack.rules.values import shown

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
    """What it may be, completing "allowed is"."""
    remedy: str
    """What to do, as a sentence."""


Rule = Callable[[Resource, Plan], Iterator[Finding]]
"""Judges one resource by the plan. It never raises, whatever the properties are."""


@dataclass(frozen=True)
class Policy:
    """A rule, and why it is there."""

    id: str
    """What it is called in Pulumi's output and in the pack's configuration."""
    title: str
    """What it demands, in one sentence."""
    severity: Severity
    control: str
    """The control of ISO/IEC 27001 that it serves, by its id in the plan."""
    promise: Callable[[Plan], str]
    """The sentence of the plan that it protects."""
    remedy: str
    """What to do about a violation, in general."""
    concerns: Callable[[str], bool]
    """Whether resources of a type are judged at all. It is asked before a resource is even looked at."""
    rule: Rule = field(repr=False)

    def judge(self, resource: Resource, plan: Plan) -> list[Violation]:
        """Everything that this policy refuses about a resource."""
        if not self.concerns(resource.type):
            return []
        return [Violation(self, resource, finding) for finding in self.rule(resource, plan)]


@dataclass(frozen=True, slots=True)
class Violation:
    """What a policy refuses about a resource."""

    policy: Policy
    resource: Resource
    finding: Finding

    @property
    def message(self) -> str:
        """The resource, the property, its value, what is allowed, and what to do."""
        found = self.finding
        return (
            f"{self.resource.type} {self.resource.name!r}: {found.property} is {shown(found.found)};"
            f" allowed is {found.allowed}. {found.remedy}"
        )


def of_type(*types: str) -> Callable[[str], bool]:
    """Concerns resources of exactly these types."""
    return frozenset(types).__contains__


def of_package(package: str) -> Callable[[str], bool]:
    """Concerns every resource of a package, and its providers."""
    return lambda type_: package_of(type_) == package
