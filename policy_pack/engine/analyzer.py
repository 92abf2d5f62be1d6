"""The engine's protocol for policy packs. It asks the same judge as the program.

Pulumi's SDK for packs has the same protocol, but it reads a resource again for each policy, and a whole stack again for
each policy on the stack. With the number of policies here, the reading would take several times as long as the
judging (`make bench`). The SDK also skips a policy that touches a value which is not known yet. So `wire.py` reads a
resource once here, and every policy judges that one reading.

The engine waits for the pack before it starts the program, and that wait is most of a pack's cost. So the pack lists
its policies first. It loads and checks the plan, which takes longer, while the program starts, and it judges nothing
before that. This is why the modules of policies name the plan's type without loading it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent import futures
from dataclasses import replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, engine_pb2, engine_pb2_grpc, plugin_pb2

from policy_pack.catalogue import ALL, concerning
from policy_pack.engine import wire
from policy_pack.exceptions import validity
from policy_pack.renamed import current_id
from policy_pack.rules.policy import AnyPolicy, Policy, Provider, Resource
from policy_pack.verdicts import Judge, Verdict

if TYPE_CHECKING:
    from plan import Plan

PACK_NAME: Final = "botbrains-continuity"
VERSION: Final = "0.2.0"
"""Of PulumiPolicy.yaml."""

_LARGEST_MESSAGE: Final = 400 * 1024 * 1024  # the engine's own limit
_SEVERITIES: Final = {
    "low": analyzer_pb2.POLICY_SEVERITY_LOW,
    "medium": analyzer_pb2.POLICY_SEVERITY_MEDIUM,
    "high": analyzer_pb2.POLICY_SEVERITY_HIGH,
    "critical": analyzer_pb2.POLICY_SEVERITY_CRITICAL,
}


class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    """Answers the engine. The names of its methods are the protocol's."""

    def __init__(self, announced: Plan, load: Callable[[], Judge], engine: str = "") -> None:
        """
        Args:
            announced: The plan, for the description of the policies. It may be unchecked.
            load: Loads the judge with the checked plan. It is called once, before the first resource is judged.
            engine: The engine's address, for messages to the person who runs it.
        """
        self._announced = announced
        self._load = load
        self._engine = engine
        self._policies: tuple[AnyPolicy, ...] = (*ALL, validity((), frozenset(), date.min))
        self._stack = ""
        self._preview = False
        self._configuration: dict[str, Mapping[str, Any]] = {}
        self._remediating: frozenset[str] = frozenset()
        self._undecided: dict[tuple[str, str], list[str]] = {}
        self._inputs: dict[str, Mapping[str, object]] = {}

    @property
    def remediates(self) -> bool:
        """Whether a policy corrects a resource that it refuses. None does, unless the configuration says so."""
        return bool(self._remediating)

    def start(self) -> None:
        """Begin to load the judge, unless that has begun."""
        _ = self._loading

    @cached_property
    def _loading(self) -> futures.Future[Judge]:
        return futures.ThreadPoolExecutor(max_workers=1).submit(self._load)

    @cached_property
    def _judge(self) -> Judge:
        judge = self._loading.result()
        by_id = {policy.id: policy for policy in self._policies}
        configured = {}
        for name, values in self._configuration.items():
            plan = judge.plan
            for threshold in by_id[name].thresholds:
                if threshold.name in values:
                    plan = threshold.stricter(plan, values[threshold.name])
            configured[name] = plan
        return replace(judge, stack=self._stack, configured=configured)

    def GetAnalyzerInfo(  # noqa: N802
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzerInfo:
        try:
            policies = [_info(policy, self._announced) for policy in self._policies]
        except AttributeError:
            # Something is missing from the plan. Loading the plan names it.
            policies = [_info(policy, self._judge.plan) for policy in self._policies]
        return analyzer_pb2.AnalyzerInfo(
            name=PACK_NAME,
            version=VERSION,
            description="The promises of botBrains to its customers for a disruption, before anything is deployed.",
            supportsConfig=True,
            policies=policies,
        )

    def GetPluginInfo(  # noqa: N802
        self, request: empty_pb2.Empty, context: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=VERSION)

    def Handshake(  # noqa: N802
        self, request: analyzer_pb2.AnalyzerHandshakeRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzerHandshakeResponse:
        return analyzer_pb2.AnalyzerHandshakeResponse()

    def ConfigureStack(  # noqa: N802
        self, request: analyzer_pb2.AnalyzerStackConfigureRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzerStackConfigureResponse:
        self._stack, self._preview = request.stack, request.dry_run
        return analyzer_pb2.AnalyzerStackConfigureResponse()

    def Configure(  # noqa: N802
        self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        by_id = {policy.id: policy for policy in self._policies}
        remediating = set()
        for configured, config in request.policyConfig.items():
            name = current_id(configured)
            policy = by_id.get(name)
            if policy is None:
                continue
            if config.enforcementLevel == analyzer_pb2.REMEDIATE and isinstance(policy, Policy) and policy.fixes:
                remediating.add(name)
            elif _loosens(policy, config.enforcementLevel):
                context.abort(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"the policy {name} cannot be switched off or made advice by configuration; allowed is mandatory"
                    " (or remediate, where it can). Write an exception into policy_pack/exceptions.yaml instead.",
                )
            self._configuration[name] = json_format.MessageToDict(config.properties)
        self._remediating = frozenset(remediating)
        # This is the last question before the engine starts the program. Loading sooner would delay the answers.
        self.start()
        return empty_pb2.Empty()

    def Analyze(  # noqa: N802
        self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzeResponse:
        # This comes first: reading a resource is most of the work, and no policy concerns a component.
        if not concerning(request.type):
            return analyzer_pb2.AnalyzeResponse()
        resource = _resource(request)
        # The engine's data about the whole stack mixes inputs and outputs. These are the inputs alone.
        self._inputs[request.urn] = resource.props
        response = self._said(self._judge.resource(resource))
        if self._preview:
            response.not_applicable.extend(self._later(resource))
        return response

    def AnalyzeStack(  # noqa: N802
        self, request: analyzer_pb2.AnalyzeStackRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.AnalyzeResponse:
        if self._preview and self._undecided:
            self._announce(next((one.urn for one in request.resources if one.type == "pulumi:pulumi:Stack"), ""))
        resources = (replace(_resource(one), inputs=self._inputs.get(one.urn)) for one in request.resources)
        return self._said(self._judge.whole(resources))

    def _later(self, resource: Resource) -> Iterator[analyzer_pb2.PolicyNotApplicable]:
        """The values that only the update knows: they pass in a preview, and the preview lists them."""
        for policy in concerning(resource.type):
            names = policy.undecided(resource)
            if names:
                self._undecided[policy.id, resource.urn] = names
                reason = f"decided at the update, when {', '.join(names)} of {resource.name} is known"
                yield analyzer_pb2.PolicyNotApplicable(policy_name=policy.id, reason=reason)

    def _announce(self, stack: str) -> None:
        """Report it to the person who reads the preview."""
        policies = sorted({policy for policy, _ in self._undecided})
        values = {(urn, name) for (_, urn), names in self._undecided.items() for name in names}
        resources = {urn for _, urn in self._undecided}
        message = (
            f"the policy pack decides at the update about {len(values)} values of {len(resources)} resources that are"
            f" not known yet: {', '.join(policies)}. Each resource is judged again before it is deployed."
        )
        if self._engine:
            with grpc.insecure_channel(self._engine) as channel:
                request = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=message, urn=stack)
                engine_pb2_grpc.EngineStub(channel).Log(request)

    def Remediate(  # noqa: N802
        self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext
    ) -> analyzer_pb2.RemediateResponse:
        response = analyzer_pb2.RemediateResponse()
        fixed = struct_pb2.Struct()
        fixed.CopyFrom(request.properties)
        for policy in concerning(request.type):
            if policy.id not in self._remediating:
                continue
            plan = self._judge.configured.get(policy.id, self._judge.plan)
            wrong = {violation.finding.property for violation in policy.judge(_resource(request), plan)}
            fixes = {name: fix(plan) for name, fix in policy.fixes.items() if name in wrong}
            if fixes:
                for name, value in fixes.items():
                    fixed.fields[name].CopyFrom(wire.written(value))
                response.remediations.append(
                    analyzer_pb2.Remediation(
                        policyName=policy.id,
                        policyPackName=PACK_NAME,
                        policyPackVersion=VERSION,
                        description=policy.title,
                        properties=fixed,
                    )
                )
        return response

    def _said(self, verdicts: Iterable[Verdict]) -> analyzer_pb2.AnalyzeResponse:
        return analyzer_pb2.AnalyzeResponse(
            diagnostics=[
                analyzer_pb2.AnalyzeDiagnostic(
                    policyName=verdict.violation.policy.id,
                    policyPackName=PACK_NAME,
                    policyPackVersion=VERSION,
                    description=verdict.violation.policy.title,
                    message=f"{verdict.violation.policy.title}\n{verdict.message}",
                    urn=verdict.violation.resource.urn,
                    enforcementLevel=analyzer_pb2.MANDATORY if verdict.refuses else analyzer_pb2.ADVISORY,
                    severity=_SEVERITIES[verdict.violation.policy.severity],
                )
                for verdict in verdicts
            ]
        )


def _loosens(policy: AnyPolicy, level: int) -> bool:
    if policy.advisory:
        return level == analyzer_pb2.DISABLED
    return level in (analyzer_pb2.DISABLED, analyzer_pb2.ADVISORY)


def _resource(said: Any) -> Resource:
    """The resource that the policies judge, from the engine's data about it, alone or as part of a stack."""
    provider = None
    if said.HasField("provider"):
        of = said.provider
        provider = Provider(name=of.name, type=of.type, props=wire.properties(of.properties, of.type), urn=of.urn)
    links = getattr(said, "propertyDependencies", {})
    return Resource(
        type=said.type,
        name=said.name,
        props=wire.properties(said.properties, said.type),
        provider=provider,
        urn=said.urn,
        parent=said.options.parent or None,
        protect=said.options.protect,
        links={name: frozenset(of.urns) for name, of in links.items()},
    )


def _info(policy: AnyPolicy, plan: Plan) -> analyzer_pb2.PolicyInfo:
    of_one = isinstance(policy, Policy)
    info = analyzer_pb2.PolicyInfo(
        name=policy.id,
        displayName=policy.id,
        description=policy.title,
        message=policy.remedy,
        enforcementLevel=analyzer_pb2.ADVISORY if policy.advisory else analyzer_pb2.MANDATORY,
        severity=_SEVERITIES[policy.severity],
        policy_type=analyzer_pb2.POLICY_TYPE_RESOURCE if of_one else analyzer_pb2.POLICY_TYPE_STACK,
        remediation_steps=f"{policy.remedy} It protects this promise: {policy.promise(plan)}",
        framework=_framework(policy, plan),
    )
    if policy.thresholds:
        schema = {threshold.name: threshold.schema(plan) for threshold in policy.thresholds}
        info.configSchema.properties.update(schema)
    return info


def _framework(policy: AnyPolicy, plan: Plan) -> analyzer_pb2.PolicyComplianceFramework:
    for control in plan.controls:
        if control.id == policy.control:
            return analyzer_pb2.PolicyComplianceFramework(
                name="ISO/IEC 27001", version="2022", reference=control.id, specification=control.title
            )
    raise LookupError(
        f"the policy {policy.id} serves {policy.control}, which the plan's controls do not have:"
        f" they are {', '.join(control.id for control in plan.controls)}. Correct the policy, or add the control."
    )


class _Remediation(grpc.ServerInterceptor):  # type: ignore[misc] # grpc has no types
    """Reports that the pack has no remediation, while that is so.

    The engine asks about every resource, one after another, and a missing method is the quickest answer.
    """

    def __init__(self, analyzer: Analyzer) -> None:
        self._analyzer = analyzer

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        if handler_call_details.method.endswith("/Remediate") and not self._analyzer.remediates:
            return None
        return continuation(handler_call_details)


def serve(announced: Plan, load: Callable[[], Judge], engine: str) -> None:
    """Answer the engine until it ends this process. The port is printed first, because the engine waits for it."""
    analyzer = Analyzer(announced, load, engine)
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=4),
        interceptors=[_Remediation(analyzer)],
        options=[("grpc.max_receive_message_length", _LARGEST_MESSAGE)],
    )
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(analyzer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()
