"""The same policies, applied by the program to itself, so that no deployment avoids them.

With its state in a bucket, Pulumi has no server that could require a policy pack, and `pulumi up` works without one. So
the program judges each resource when it is registered. It reads the message that it is about to send to the engine,
which is the one that the engine would show to the pack. The message has the unknown values, the provider, and the
dependencies of each property. The judge is the same too, so the program and the pack give the same messages.

A resource transform would also see every resource. But the engine calls the program back for it, and does not tell it
the dependencies.

In an update, a refused resource is not registered, and the program ends. In a preview it is registered, so that all
other resources are judged too, and the program ends after the last one.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, Final

import pulumi
from pulumi.runtime import settings
from pulumi.runtime.config import CONFIG
from pulumi.runtime.proto import resource_pb2

from plan import Plan
from policy_pack.catalogue import concerning
from policy_pack.engine import wire
from policy_pack.exceptions import ExceptionsError
from policy_pack.rules.policy import PROVIDERS, Provider, Resource, package_of
from policy_pack.verdicts import Judge, Verdict

_LINE: Final = "\n  "


def enforce(plan: Plan) -> None:
    """Judge every resource that the program registers from now on.

    Raises:
        RunError: the exceptions cannot be read.
    """
    try:
        judge = Judge(plan, stack=pulumi.get_stack())
    except ExceptionsError as error:
        raise pulumi.RunError(str(error)) from None
    settings.SETTINGS.monitor = Judged(settings.get_monitor(), judge, preview=pulumi.runtime.is_dry_run())


class Judged:
    """The engine, with the judge between it and the program. The names of its methods are the protocol's."""

    def __init__(self, engine: Any, judge: Judge, preview: bool) -> None:
        self._engine = engine
        self._judge = judge
        self._preview = preview
        self._lock = threading.Lock()
        self._providers: dict[str, Provider] = {}
        self._resources: list[Resource] = []
        self._refused: list[Verdict] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        """Judge a resource, and register it."""
        props = wire.properties(request.object, request.type)
        asked = self._resource(request, "", props)
        if concerning(request.type):
            self._take(self._judge.resource(asked))
        response: resource_pb2.RegisterResourceResponse = self._engine.RegisterResource(request)
        with self._lock:
            if request.type.startswith(PROVIDERS):
                self._providers[response.urn] = Provider(request.name, request.type, props, response.urn)
            made = wire.properties(response.object, request.type)
            self._resources.append(replace(self._resource(request, response.urn, {**props, **made}), inputs=props))
        return response

    def SignalAndWaitForShutdown(self, request: Any) -> Any:  # noqa: N802
        """Judge the whole stack, once every resource is registered."""
        self._take(self._judge.whole(self._resources))
        if self._refused:
            raise pulumi.RunError(_message(self._refused))
        return self._engine.SignalAndWaitForShutdown(request)

    def _take(self, verdicts: list[Verdict]) -> None:
        for verdict in verdicts:
            if not verdict.refuses and not self._preview:
                continue  # the preview has reported it
            if not verdict.refuses:
                pulumi.log.warn(f"{verdict.violation.policy.id}: {verdict.message}")
        refused = [verdict for verdict in verdicts if verdict.refuses]
        if refused and not self._preview:
            raise pulumi.RunError(_message(refused))
        with self._lock:
            self._refused += refused

    def _provider(self, request: resource_pb2.RegisterResourceRequest) -> Provider | None:
        if not request.custom or request.type.startswith(PROVIDERS):
            return None
        if request.provider:
            # The reference is `URN::id`, and the provider was registered before.
            return self._providers.get(request.provider.rpartition("::")[0])
        # The engine's default provider has the package's values of the stack's configuration.
        package = package_of(request.type)
        config = {
            key.removeprefix(f"{package}:"): value
            for key, value in CONFIG.get().items()
            if key.startswith(f"{package}:")
        }
        return Provider("default", f"{PROVIDERS}{package}", config)

    def _resource(self, request: resource_pb2.RegisterResourceRequest, urn: str, props: dict[str, object]) -> Resource:
        return Resource(
            type=request.type,
            name=request.name,
            props=props,
            provider=self._provider(request),
            urn=urn,
            parent=request.parent or None,
            protect=request.protect,
            links={name: frozenset(of.urns) for name, of in request.propertyDependencies.items()},
        )


def _message(refused: list[Verdict]) -> str:
    count = "1 violation" if len(refused) == 1 else f"{len(refused)} violations"
    lines = [f"{verdict.violation.policy.id}: {verdict.message}" for verdict in refused]
    return f"the continuity policies refuse this deployment: {count}{_LINE}{_LINE.join(lines)}"
