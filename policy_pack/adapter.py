"""Between Pulumi's policy SDK and the policies.

The SDK raises an error when a policy reads a value that is not known yet, and turns that error into advice: one unknown
value anywhere, and a mandatory policy is skipped for the resource. So everything is read here, once, before any policy
sees it, and what is not known becomes `UNKNOWN`, about which each policy decides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from pulumi import AssetArchive, FileArchive, FileAsset, RemoteArchive, RemoteAsset, StringAsset
from pulumi_policy import (
    EnforcementLevel,
    PolicyComplianceFramework,
    PolicyProviderResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
)
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY
from pulumi_policy.proxy import (
    UNKNOWN_ARCHIVE_VALUE,
    UNKNOWN_ARRAY_VALUE,
    UNKNOWN_ASSET_VALUE,
    UNKNOWN_BOOLEAN_VALUE,
    UNKNOWN_NUMBER_VALUE,
    UNKNOWN_OBJECT_VALUE,
    UNKNOWN_STRING_VALUE,
    UnknownValueError,
)

from plan import Plan
from policy_pack.catalogue import POLICIES
from policy_pack.rules.policy import PROVIDERS, Policy, Provider, Resource
from policy_pack.rules.values import UNKNOWN

K = TypeVar("K", int, str)

PACK_NAME: Final = "botbrains-continuity"

_UNKNOWN_ON_THE_WIRE: Final = frozenset(
    {
        UNKNOWN_ARCHIVE_VALUE,
        UNKNOWN_ARRAY_VALUE,
        UNKNOWN_ASSET_VALUE,
        UNKNOWN_BOOLEAN_VALUE,
        UNKNOWN_NUMBER_VALUE,
        UNKNOWN_OBJECT_VALUE,
        UNKNOWN_STRING_VALUE,
    }
)


def plain(value: object) -> object:
    """A property's value as plain data, with `UNKNOWN` for each value in it that is not known yet.

    Args:
        value: What the SDK hands to a policy: scalars, assets, and its proxies for mappings and lists.

    Returns:
        None, a bool, int, float or str, `UNKNOWN`, or a list or dict of these. The wire has only one kind of number, so
        a whole one becomes an int. An asset or archive becomes a dict of what it is made of.
    """
    if isinstance(value, str):
        return UNKNOWN if value in _UNKNOWN_ON_THE_WIRE else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return properties(value)
    if isinstance(value, Sequence):
        return [_read(value.__getitem__, index) for index in range(len(value))]
    if isinstance(value, AssetArchive):
        return {"assets": plain(value.assets)}
    if isinstance(value, StringAsset):
        return {"text": plain(value.text)}
    if isinstance(value, FileAsset | FileArchive):
        return {"path": plain(value.path)}
    if isinstance(value, RemoteAsset | RemoteArchive):
        return {"uri": plain(value.uri)}
    return value


def properties(props: Mapping[str, object]) -> dict[str, object]:
    """A resource's properties as plain data."""
    return {key: _read(props.__getitem__, key) for key in props}


def _read(get: Callable[[K], object], key: K) -> object:
    try:
        return plain(get(key))
    except UnknownValueError:
        return UNKNOWN


def provider_properties(props: Mapping[str, object]) -> dict[str, object]:
    """A provider's configuration as plain data. The engine hands its lists and objects over as JSON in a text."""
    return {key: _decoded(value) for key, value in properties(props).items()}


def _decoded(value: object) -> object:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _revealed(json.loads(value))
        except (ValueError, RecursionError):
            pass  # not JSON after all: a text is judged as a text
    return value


def _revealed(value: object) -> object:
    """What JSON says, without the wrapping of secrets."""
    if isinstance(value, dict):
        if value.get(SPECIAL_SIG_KEY) == SPECIAL_SECRET_SIG:
            return _revealed(value.get("value"))
        return {key: _revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_revealed(item) for item in value]
    return plain(value)


def resource(args: ResourceValidationArgs) -> Resource:
    """What the policies judge, from what the SDK hands to a policy."""
    is_provider = args.resource_type.startswith(PROVIDERS)
    return Resource(
        type=args.resource_type,
        name=args.name,
        props=provider_properties(args.props) if is_provider else properties(args.props),
        provider=None if args.provider is None else _provider(args.provider),
        urn=args.urn,
        parent=args.opts.parent,
        protect=args.opts.protect,
    )


def _provider(of: PolicyProviderResource) -> Provider:
    return Provider(name=of.name, type=of.resource_type, props=provider_properties(of.props), urn=of.urn)


def pack(plan: Plan, policies: Iterable[Policy] = POLICIES) -> list[ResourceValidationPolicy]:
    """The policies for Pulumi's engine, judging by a plan.

    Raises:
        LookupError: a policy serves a control that the plan does not have.
    """
    return [_for_the_engine(policy, plan) for policy in policies]


def _for_the_engine(policy: Policy, plan: Plan) -> ResourceValidationPolicy:
    return ResourceValidationPolicy(
        name=policy.id,
        display_name=policy.id,
        description=policy.title,
        validate=_validation(policy, plan),
        enforcement_level=EnforcementLevel.MANDATORY,
        severity=Severity(policy.severity),
        framework=_framework(policy, plan),
        remediation_steps=f"{policy.remedy} It protects this promise: {policy.promise(plan)}",
    )


def _validation(policy: Policy, plan: Plan) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        # Asked first, for most policies concern few resources, and reading one is most of the work.
        if policy.concerns(args.resource_type):
            for violation in policy.judge(resource(args), plan):
                report(violation.message, None)

    return validate


def _framework(policy: Policy, plan: Plan) -> PolicyComplianceFramework:
    for control in plan.controls:
        if control.id == policy.control:
            return PolicyComplianceFramework("ISO/IEC 27001", "2022", control.id, control.title)
    raise LookupError(
        f"the policy {policy.id} serves {policy.control}, which the plan's controls do not have:"
        f" they are {', '.join(control.id for control in plan.controls)}. Correct the policy, or add the control."
    )
