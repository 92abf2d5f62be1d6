"""A provider plugin made of tables: the engine's `ResourceProvider` protocol over a `Plugin`.

This module holds the behaviour that all resource types share: refusals, previews, diffs, updates and refreshes. The
tables hold the differences.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from localcloud.plugins.checks import CheckFailure, broken_rules, report, unmapped_properties
from localcloud.plugins.table import GoneError, Plugin, Property, Props, RefusedError, ResourceType, creation_outputs
from localcloud.plugins.time_limit import custom_timeout
from localcloud.plugins.wire import UNKNOWN, from_wire, has_unknown, to_wire

log = logging.getLogger(__name__)

# Settings of a provider that the engine adds.
_ENGINE_SETTINGS = frozenset({"version", "pluginDownloadURL", "__internal"})


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """One instance of a plugin. The engine starts one for each provider of a stack.

    `environment` is the engine's. The official plugin reads credentials and endpoints from it.
    """

    def __init__(self, plugin: Plugin, environment: Mapping[str, str]) -> None:
        self._plugin = plugin
        self._environment = environment
        self._types = {entry.token: entry for entry in plugin.resources}
        self._functions = {entry.token: entry for entry in plugin.functions}
        self._cloud: Any = None
        self._connecting = threading.Lock()
        self._settings: Props = {}
        self._engine = ""

    # -- the provider itself ------------------------------------------------------------------------------------------

    def Handshake(
        self, request: provider_pb2.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ProviderHandshakeResponse:
        self._engine = request.engine_address
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self._plugin.version)

    def CheckConfig(
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        settings, rules = _settings(from_wire(request.news)), self._plugin.configuration
        subject = f"the {self._plugin.name} provider"
        unmapped = unmapped_properties(subject, rules, settings)
        failures = [*(CheckFailure(property=key, reason=reason) for key, reason in unmapped.items())]
        failures += broken_rules(subject, rules, settings)
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        old = _settings(from_wire(request.old_inputs if request.HasField("old_inputs") else request.olds))
        return _difference(self._plugin.configuration, old, _settings(from_wire(request.news)))

    def Configure(
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        self._settings = _settings(from_wire(request.args))
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def _client(self) -> Any:
        """Return the cloud's client. It is created at the first call, because a plain preview calls nothing."""
        with self._connecting:
            if self._cloud is None:
                known = {key: value for key, value in self._settings.items() if not has_unknown(value)}
                self._cloud = self._plugin.connect(known, self._environment)
            return self._cloud

    def _inherited(self) -> Props:
        return self._plugin.inherited(self._settings, self._environment)

    # -- resources ----------------------------------------------------------------------------------------------------

    def Check(self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext) -> provider_pb2.CheckResponse:
        # A missing mapping is not refused here: that would end a preview before the policy pack has judged the other
        # resources. The preview reports it as an error, and the update refuses it.
        token, name = _type_and_name(request.urn)
        entry = self._types.get(token)
        if entry is None:
            return provider_pb2.CheckResponse(inputs=request.news)
        inputs = from_wire(request.news)
        inputs.pop("__defaults", None)
        old = from_wire(request.olds)
        for key, rule in entry.properties.items():
            if rule.generated_name and key not in inputs:
                suffix = hashlib.sha256(request.randomSeed or name.encode()).hexdigest()[:7]
                inputs[key] = old.get(key, f"{name}-{suffix}")
        return provider_pb2.CheckResponse(
            inputs=to_wire(inputs, _secrets(entry)), failures=broken_rules(token, entry.properties, inputs)
        )

    def Diff(self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext) -> provider_pb2.DiffResponse:
        entry = self._entry(_type_and_name(request.urn)[0], context)
        old = from_wire(request.old_inputs if request.HasField("old_inputs") else request.olds)
        inherited = self._inherited()
        old, new = {**inherited, **old}, {**inherited, **from_wire(request.news)}
        response = _difference(entry.properties, old, new, in_place=entry.update is not None)
        response.deleteBeforeReplace = bool(response.replaces) and entry.delete_before_replace
        return response

    def Create(self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext) -> provider_pb2.CreateResponse:
        token, inputs = _type_and_name(request.urn)[0], from_wire(request.properties)
        if request.preview and token not in self._types:
            report(self._engine, request.urn, self._no_entry("resource type", token, sorted(self._types)))
            return provider_pb2.CreateResponse(properties=request.properties)
        entry = self._entry(token, context)
        self._refuse_unmapped(context, entry, inputs, request)
        if request.preview:
            return provider_pb2.CreateResponse(properties=to_wire(_expected(entry, inputs), _secrets(entry)))
        with custom_timeout(request.timeout), self._reporting_errors(context, f"create {request.urn}"):
            cloud = self._client()
            identity = entry.create(cloud, inputs)
            created = creation_outputs(identity)
            try:
                if entry.settle is not None:
                    entry.settle(cloud, identity, inputs)
                found = entry.read(cloud, identity, {**inputs, **created})
                outputs = self._outputs(entry, identity, inputs, found)
            except Exception as fault:
                # The object exists. Report it to the engine, or the next update would create a second one.
                log.exception("%s exists as %s, but is not complete", request.urn, identity)
                _abort_with_partial(context, entry, identity, inputs, created, fault)
        return provider_pb2.CreateResponse(id=identity, properties=to_wire(outputs, _secrets(entry)))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:
        entry = self._entry(_type_and_name(request.urn)[0], context)
        state, declared = from_wire(request.properties), from_wire(request.inputs)
        with self._reporting_errors(context, f"read {request.urn}"):
            try:
                found = entry.read(self._client(), request.id, state)
            except GoneError:
                return provider_pb2.ReadResponse()
            outputs = self._outputs(entry, request.id, declared, found)
            inputs = found_inputs(entry, declared, found, importing=not state)
        # An import may name an object in a longer form (`NAME@REGION`) than its id.
        identity = str(found.get("id") or request.id)
        return provider_pb2.ReadResponse(
            id=identity, properties=to_wire(outputs, _secrets(entry)), inputs=to_wire(inputs, _secrets(entry))
        )

    def Update(self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext) -> provider_pb2.UpdateResponse:
        entry = self._entry(_type_and_name(request.urn)[0], context)
        state, new = from_wire(request.olds), from_wire(request.news)
        self._refuse_unmapped(context, entry, new, request)
        old = from_wire(request.old_inputs) if request.HasField("old_inputs") else state
        if request.preview:
            expected = {**{key: value for key, value in state.items() if key not in entry.properties}, **new}
            return provider_pb2.UpdateResponse(properties=to_wire(expected, _secrets(entry)))
        with custom_timeout(request.timeout), self._reporting_errors(context, f"update {request.urn}"):
            if entry.update is None:
                raise RefusedError(f"{entry.token} cannot be changed in place")
            inherited = self._inherited()
            changed = frozenset(changed_inputs(entry.properties, {**inherited, **old}, {**inherited, **new}))
            entry.update(self._client(), request.id, {**state, **old}, new, changed)
            found = entry.read(self._client(), request.id, {**state, **new})
            outputs = self._outputs(entry, request.id, new, found)
        return provider_pb2.UpdateResponse(properties=to_wire(outputs, _secrets(entry)))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        entry = self._entry(_type_and_name(request.urn)[0], context)
        with custom_timeout(request.timeout), self._reporting_errors(context, f"delete {request.urn}"):
            try:
                entry.delete(self._client(), request.id, from_wire(request.properties))
            except GoneError:
                log.info("%s is gone already", request.urn)
        return empty_pb2.Empty()

    # -- functions ----------------------------------------------------------------------------------------------------

    def Invoke(self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext) -> provider_pb2.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            _refuse(context, self._no_entry("function", request.tok, sorted(self._functions)))
        arguments = from_wire(request.args)
        failures = [
            provider_pb2.CheckFailure(property=key, reason=f"{request.tok} has no mapping for `{key}` here")
            for key in arguments
            if key not in function.arguments
        ]
        if failures:
            return provider_pb2.InvokeResponse(failures=failures)
        with self._reporting_errors(context, f"call {request.tok}"):
            result = function.call(self._client(), arguments)
        return provider_pb2.InvokeResponse(**{"return": to_wire(result)})

    # -- recovery after an interrupted update ---------------------------------------------------------------------

    def find(self, token: str, settings: Props, inputs: Props) -> str | None:
        """Return the id of the object that an interrupted creation with these inputs made, if it made one."""
        entry = self._types.get(token)
        if entry is None or entry.find is None:
            return None
        self._settings = _settings(settings)
        return entry.find(self._client(), inputs)

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _entry(self, token: str, context: grpc.ServicerContext) -> ResourceType:
        entry = self._types.get(token)
        if entry is None:
            _refuse(context, self._no_entry("resource type", token, sorted(self._types)))
        return entry

    def _no_entry(self, kind: str, token: str, known: list[str]) -> str:
        return (
            f"the local cloud has no mapping for the {kind} {token}. "
            f"Its {self._plugin.name} stand-in maps: {', '.join(known)}. "
            "Add an entry to localcloud/plugins, or use the official plugins (LOCALCLOUD_PLUGINS=official)."
        )

    def _refuse_unmapped(self, context: grpc.ServicerContext, entry: ResourceType, inputs: Props, request: Any) -> None:
        """Refuse properties that have no mapping. A preview reports them and goes on."""
        unmapped = "; ".join(unmapped_properties(entry.token, entry.properties, inputs).values())
        if unmapped and request.preview:
            report(self._engine, request.urn, unmapped)
        elif unmapped:
            _refuse(context, unmapped)

    def _outputs(self, entry: ResourceType, identity: str, declared: Props, found: Props) -> Props:
        kept = {key: declared[key] for key, rule in entry.properties.items() if rule.write_only and key in declared}
        return {**found, **kept, "id": str(found.get("id") or identity)}

    @contextmanager
    def _reporting_errors(self, context: grpc.ServicerContext, doing: str) -> Iterator[None]:
        """Convert errors of the cloud and its client to the engine's error. The log keeps the trace."""
        try:
            yield
        except RefusedError as refusal:
            log.info("%s: refused: %s", doing, refusal)
            _refuse(context, str(refusal))
        except Exception as fault:
            if context.code() is not None:  # answered already
                raise
            log.exception("%s", doing)
            context.abort(grpc.StatusCode.UNKNOWN, _message(fault))


def _refuse(context: grpc.ServicerContext, message: str) -> NoReturn:
    context.abort(grpc.StatusCode.INVALID_ARGUMENT, message)
    raise AssertionError("abort raises")


def _abort_with_partial(
    context: grpc.ServicerContext, entry: ResourceType, identity: str, inputs: Props, created: Props, fault: Exception
) -> NoReturn:
    reason = _message(fault)
    partial = provider_pb2.ErrorResourceInitFailed(
        id=identity,
        properties=to_wire({**inputs, **created, "id": identity}, _secrets(entry)),
        inputs=to_wire(inputs, _secrets(entry)),
        reasons=[reason],
    )
    detail = any_pb2.Any()
    detail.Pack(partial)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, reason)
    raise AssertionError("abort raises")


def _message(fault: Exception) -> str:
    words = str(fault)
    return words if isinstance(fault, RefusedError) or len(words) > 20 else f"{type(fault).__name__}: {words}"


def _type_and_name(urn: str) -> tuple[str, str]:
    """`urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME`."""
    _, _, types, name = urn.split("::", 3)
    return types.rsplit("$", 1)[-1], name


def _secrets(entry: ResourceType) -> frozenset[str]:
    return frozenset(key for key, rule in entry.properties.items() if rule.secret)


def _settings(raw: Props) -> Props:
    """The settings of a provider. The engine sends a value that is not a string as JSON in a string."""
    settings: Props = {}
    for key, value in raw.items():
        if key in _ENGINE_SETTINGS:
            continue
        if isinstance(value, str) and (value[:1] in ("{", "[") or value in ("true", "false")):
            value = json.loads(value)
        settings[key] = value
    return settings


def changed_inputs(rules: Mapping[str, Property], old: Props, new: Props) -> list[str]:
    """Return the inputs that differ. An input that is left out has its documented default, or the cloud's choice."""
    changed = []
    for key, rule in rules.items():
        if rule.cloud_chooses and key not in new:
            continue
        before, after = old.get(key, rule.default), new.get(key, rule.default)
        if has_unknown(after) or not _same(rule, before, after):
            changed.append(key)
    return changed


def _difference(
    rules: Mapping[str, Property], old: Props, new: Props, in_place: bool = True
) -> provider_pb2.DiffResponse:
    # The change of a property that has no mapping is a change, which the update then refuses.
    unmapped = [key for key in unmapped_properties("", rules, new) if old.get(key) != new[key]]
    changed = [*changed_inputs(rules, old, new), *unmapped]
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=changed,
        replaces=[key for key in changed if key in rules and (rules[key].replaces or not in_place)],
    )


def _same(rule: Property, one: Any, other: Any) -> bool:
    if _empty(one) and _empty(other):
        return True
    if rule.same is not None and one is not None and other is not None:
        return rule.same(one, other)
    return bool(one == other)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _expected(entry: ResourceType, inputs: Props) -> Props:
    """The outputs in a preview of a creation: inputs and documented defaults; outputs of the cloud are unknown."""
    defaults = {key: rule.default for key, rule in entry.properties.items() if rule.default is not None}
    return {**dict.fromkeys(entry.computed, UNKNOWN), **defaults, **inputs}


def found_inputs(entry: ResourceType, declared: Props, found: Props, importing: bool) -> Props:
    """Return the inputs that the cloud has, in the declared form where the two mean the same.

    A declared input that still holds keeps its form. An input that was not declared appears only if the cloud's value
    differs from the documented default. So a refresh shows changes made by hand, and nothing else.
    """
    inputs: Props = {}
    for key, rule in entry.properties.items():
        if rule.write_only:
            if key in declared:
                inputs[key] = declared[key]
            continue
        actual = found.get(key)
        if key in declared:
            if _still_describes(rule, declared[key], actual):
                inputs[key] = declared[key]
            elif actual is not None:
                inputs[key] = actual
        elif not _empty(actual) and (importing or rule.default is not None) and not _same(rule, rule.default, actual):
            inputs[key] = actual
    return inputs


def _still_describes(rule: Property, declared: Any, actual: Any) -> bool:
    if rule.same is not None and actual is not None:
        return rule.same(declared, actual)
    return _covers(declared, actual)


def _covers(declared: Any, actual: Any) -> bool:
    """Whether the cloud has everything that was declared. The cloud may add its own keys inside an object."""
    if isinstance(declared, Mapping) and isinstance(actual, Mapping):
        return all(_covers(value, actual.get(key)) for key, value in declared.items())
    if isinstance(declared, list) and isinstance(actual, list):
        return len(declared) == len(actual) and all(map(_covers, declared, actual))
    return bool(declared == actual) or (_empty(declared) and _empty(actual))
