"""Resources that a program declares inside another one, as if each were a separate resource.

AWS and Hetzner have two forms of some settings: a property of the resource, and a separate resource. The rules know the
second form. This module reads the first one as the second, so that both forms get the same verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from policy_pack.rules.checks import at, listed
from policy_pack.rules.policy import Resource, Stack
from policy_pack.rules.resource_types import (
    BUCKET,
    BUCKET_ENCRYPTION,
    BUCKET_LIFECYCLE,
    BUCKET_LOCK,
    BUCKET_POLICY,
    BUCKET_REPLICATION,
    BUCKET_VERSIONING,
    INGRESS_ADDRESSES,
    LOAD_BALANCER,
    LOAD_BALANCER_TARGET,
    SECURITY_GROUP_RULE,
    SECURITY_GROUPS,
)
from policy_pack.rules.values import UNKNOWN, present

Parts = Iterator[tuple[str, str, Mapping[str, Any]]]
"""The place of each part in its resource, the type that it is read as, and its properties."""


def inside(resource: Resource) -> Iterator[Resource]:
    """The resources that are declared inside this one."""
    read = _READ.get(resource.type)
    if read is None:
        return
    owner, parts = read
    props = resource.declared
    for place, type_, part in parts(props):
        computed_from = resource.links.get(place.partition("[")[0], frozenset())
        yield Resource(
            type=type_,
            name=resource.name,
            props={**part, "region": props.get("region")},
            provider=resource.provider,
            protect=resource.protect,
            links=dict.fromkeys(part, computed_from),
            part_of=resource,
            place=place,
            owner=owner,
        )


def whole(resources: Iterable[Resource]) -> Stack:
    """The stack of these resources and of what they declare inside them."""
    found = tuple(resources)
    return Stack((*found, *(part for resource in found for part in inside(resource))))


def _of_bucket(props: Mapping[str, object]) -> Parts:
    for place, type_, read in _BUCKET_SETTINGS:
        value = props.get(place)
        if present(value) and value != [] and value != {}:
            yield place, type_, read(value)


def _unless_unknown(read: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: UNKNOWN if value is UNKNOWN else read(value)


def _switch(value: object, on: str, off: str) -> object:
    """A status as a text, where the property inside the resource is a boolean."""
    return {True: on, False: off}.get(value) if isinstance(value, bool) else value


def _lifecycle_rules(value: object) -> object:
    return [
        {
            "status": _switch(at(rule, "enabled"), "Enabled", "Disabled"),
            "noncurrentVersionExpiration": None
            if at(rule, "noncurrentVersionExpiration") is None
            else {"noncurrentDays": at(rule, "noncurrentVersionExpiration.days")},
        }
        if isinstance(rule, Mapping)
        else rule
        for rule in listed(value)
    ]


def _replication_rules(value: object) -> object:
    rules = at(value, "rules")
    return UNKNOWN if rules is UNKNOWN else [_replication_rule(rule) for rule in listed(rules)]


def _replication_rule(rule: object) -> object:
    encrypted = _switch(at(rule, "sourceSelectionCriteria.sseKmsEncryptedObjects.enabled"), "Enabled", "Disabled")
    destination = at(rule, "destination")
    if not isinstance(rule, Mapping):
        return rule
    return {
        **rule,
        "sourceSelectionCriteria": {"sseKmsEncryptedObjects": {"status": encrypted}},
        "destination": {
            **(destination if isinstance(destination, Mapping) else {}),
            "encryptionConfiguration": {"replicaKmsKeyId": at(rule, "destination.replicaKmsKeyId")},
        },
    }


_BUCKET_SETTINGS: Final[tuple[tuple[str, str, Callable[[object], Mapping[str, Any]]], ...]] = (
    (
        "versioning",
        BUCKET_VERSIONING[0],
        lambda value: {"versioningConfiguration": {"status": _switch(at(value, "enabled"), "Enabled", "Suspended")}},
    ),
    ("objectLockConfiguration", BUCKET_LOCK[0], lambda value: {"rule": at(value, "rule")}),
    ("lifecycleRules", BUCKET_LIFECYCLE[0], lambda value: {"rules": _unless_unknown(_lifecycle_rules)(value)}),
    ("serverSideEncryptionConfiguration", BUCKET_ENCRYPTION[0], lambda value: {"rules": at(value, "rule")}),
    ("replicationConfiguration", BUCKET_REPLICATION[0], lambda value: {"rules": _replication_rules(value)}),
    ("policy", BUCKET_POLICY[0], lambda value: {"policy": value}),
)
"""The settings that a bucket can declare itself, and how each is read."""


def _of_security_group(props: Mapping[str, object]) -> Parts:
    for index, rule in enumerate(listed(props.get("ingress"))):
        if isinstance(rule, Mapping):
            # A name that is absent needs no link: the rule does not admit by it.
            named = {name: value for name, value in rule.items() if name in INGRESS_ADDRESSES or present(value)}
            yield f"ingress[{index}]", SECURITY_GROUP_RULE, {"type": "ingress", **named}


def _of_load_balancer(props: Mapping[str, object]) -> Parts:
    for index, target in enumerate(listed(props.get("targets"))):
        if isinstance(target, Mapping):
            yield f"targets[{index}]", LOAD_BALANCER_TARGET, target


_READ: Final[Mapping[str, tuple[str, Callable[[Mapping[str, object]], Parts]]]] = {
    **dict.fromkeys(BUCKET, ("bucket", _of_bucket)),
    **dict.fromkeys(SECURITY_GROUPS, ("securityGroupId", _of_security_group)),
    LOAD_BALANCER: ("loadBalancerId", _of_load_balancer),
}
"""By type, the property by which the separate form names this resource, and the parts of one."""
