"""Checks of the inputs of a resource against a table: properties without a mapping, and rules that are broken."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

from localcloud.plugins.table import Property, Props
from localcloud.plugins.wire import has_unknown

CheckFailure = provider_pb2.CheckFailure


def unmapped_properties(subject: str, rules: Mapping[str, Property], inputs: Props) -> dict[str, str]:
    """Return the inputs that have no mapping, each with the reason why it is refused."""
    return {
        key: f"the local cloud has no mapping for the property `{key}` of {subject}, so it would be ignored"
        for key in inputs
        if key not in rules and not key.startswith("__")
    }


def broken_rules(subject: str, rules: Mapping[str, Property], inputs: Props) -> list[provider_pb2.CheckFailure]:
    """Return the inputs that are missing or have a value that is not allowed."""
    failures = []
    for key, rule in rules.items():
        value = inputs.get(key)
        if rule.required and value is None:
            failures.append(CheckFailure(property=key, reason=f"{subject} needs `{key}`"))
        elif rule.choices and value is not None and not has_unknown(value) and value not in rule.choices:
            allowed = ", ".join(repr(choice) for choice in rule.choices)
            reason = f"`{key}` of {subject} is {value!r}; allowed: {allowed}"
            failures.append(CheckFailure(property=key, reason=reason))
    return failures


def report(engine: str, urn: str, message: str) -> None:
    """Print an error on a resource, without the end of the preview."""
    with grpc.insecure_channel(engine) as channel:
        request = engine_pb2.LogRequest(
            severity=engine_pb2.ERROR, message=f"{message.removesuffix('.')}. The update refuses it.", urn=urn
        )
        engine_pb2_grpc.EngineStub(channel).Log(request)
