"""The form of an example: declared resources that comply, and one change that a policy refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, Final

from plan import Plan
from policy_pack.rules.policy import Provider, Resource
from policy_pack.rules.values import UNKNOWN


@dataclass(frozen=True)
class Ref:
    """The output of another resource in the family. It is unknown before that is deployed, but the link is known."""

    resource: str
    output: str = "id"


@dataclass(frozen=True)
class Declared:
    """A resource, as a program declares it."""

    type: str
    props: Mapping[str, Any] = field(default_factory=dict)
    protect: bool = True


Family = Mapping[str, Declared]
"""Resources that belong together, by name."""


def declared_as(family: Family, plan: Plan, prefix: str = "") -> list[Resource]:
    """The resources as in a preview of a new stack: a reference to another resource is unknown, but linked."""
    home = plan.residency.aws.home_region
    found = []
    for name, resource in family.items():
        package = resource.type.partition(":")[0]
        config = {"region": home} if package == "aws" else {}
        found.append(
            Resource(
                type=resource.type,
                name=prefix + name,
                props={key: _plain(value) for key, value in resource.props.items()},
                provider=Provider(package, f"pulumi:providers:{package}", config),
                urn=_urn(prefix + name),
                protect=resource.protect,
                links={
                    key: frozenset(_urn(prefix + ref.resource) for ref in _refs(value))
                    for key, value in resource.props.items()
                },
            )
        )
    return found


def _urn(name: str) -> str:
    return f"urn:example::{name}"


def _plain(value: object) -> object:
    if isinstance(value, Ref):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _refs(value: object) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _refs(item)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)


TYPE: Final = "the type"
PROTECT: Final = "the option protect"
"""Parts of a resource that an example can change and that are not properties."""

LEFT_OUT: Final = object()
"""Instead of a value: the property is left out."""


def changed(family: Family, name: str, path: str, value: object) -> Family:
    """The family with one property of one resource changed; `path` is dotted, and a number in it is an index."""
    resource = family[name]
    if path == PROTECT:
        # An option is never unknown. Left out it is false.
        return {**family, name: replace(resource, protect=value is True or value is UNKNOWN)}
    if path == TYPE:
        return {**family, name: replace(resource, type=str(value))}
    return {**family, name: replace(resource, props=_with(resource.props, path.split("."), value))}


def _with(of: Any, path: Sequence[str], value: object) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(of, list):
        index = int(first)
        new = _with(of[index], rest, value) if rest else value
        return [*of[:index], *([] if new is LEFT_OUT else [new]), *of[index + 1 :]]
    new = _with(of.get(first, {}), rest, value) if rest else value
    return {key: item for key, item in {**of, first: new}.items() if item is not LEFT_OUT}


@dataclass(frozen=True)
class Example:
    """Resources that comply with every policy, and one change that one policy refuses."""

    policy: str
    family: Callable[[Plan], Family]
    """The resources that comply with all of the policies."""
    at: str
    """The resource that is changed."""
    path: str = ""
    """The property that is changed. Empty if the whole resource is removed."""
    refuse: object = LEFT_OUT
    """The value that is refused, or a function of the plan that returns it."""
    left_out: bool = True
    """Whether the policy also refuses a property that is left out. Otherwise the default complies."""
    unknown: bool = True
    """Whether the policy refuses a property that is not known before the deployment."""
    hidden: tuple[str, str] | None = None
    """For a resource that is removed: the resource and the property that `without` and `not_known` change."""

    def compliant(self, plan: Plan) -> Family:
        """The resources that comply."""
        return self.family(plan)

    def broken(self, plan: Plan) -> Family:
        """The resources that this policy alone refuses."""
        family = self.family(plan)
        if self.path:
            return changed(family, self.at, self.path, self.refused(plan))
        return _without(family, self.at)

    def refused(self, plan: Plan) -> object:
        """The value that is refused under a plan."""
        return self.refuse(plan) if callable(self.refuse) else self.refuse

    def without(self, plan: Plan) -> Family:
        """The resources with the property left out."""
        return changed(self.family(plan), *self._hiding(), LEFT_OUT)

    def not_known(self, plan: Plan) -> Family:
        """The resources with the property not known yet."""
        return changed(self.family(plan), *self._hiding(), UNKNOWN)

    def _hiding(self) -> tuple[str, str]:
        return self.hidden or (self.at, self.path)


def _without(family: Family, name: str) -> Family:
    """The family without a resource and without the resources that refer to it."""
    return {
        key: resource
        for key, resource in family.items()
        if key != name and not any(ref.resource == name for ref in _refs(resource.props))
    }


def plan_less_one(path: str) -> Callable[[Plan], object]:
    """A refused number: one less than the plan's number at a dotted path."""
    read = attrgetter(path)
    return lambda plan: read(plan) - 1


def in_home_region(form: str) -> Callable[[Plan], object]:
    """A refused text that contains the plan's home region."""
    return lambda plan: form.format(home=plan.residency.aws.home_region)
