"""Pulumi's own engine over programs that are only data, with a provider that accepts everything.

No cloud is needed for what a policy pack says, and no plugin: the engine attaches to a provider that runs already. This
one answers with what it is given. In a preview it knows nothing else, so every output is unknown, as with a real one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from localcloud.engine.provide import Engine
from policy_pack.documentation.examples.model import Family, Ref
from policy_pack.rules.values import UNKNOWN

PACK = Path(__file__).parents[2] / "policy_pack"
PACKAGES = ("aws", "hcloud", "github", "gcp")

PROGRAM = """
import json, pathlib, pulumi

said = json.loads(pathlib.Path("resources.json").read_text())

class Provider(pulumi.ProviderResource):
    def __init__(self, package, config):
        super().__init__(package, package, config)

class Resource(pulumi.CustomResource):
    def __init__(self, declared, props, opts):
        outputs = dict.fromkeys(said["outputs"])
        super().__init__(declared["type"], declared["name"], {**outputs, **props}, opts)
        self.wanted = {name: getattr(self, name, None) for name in outputs}

    def output(self, name):
        return self.id if name == "id" else pulumi.Output.from_input(self.__dict__.get(name))

providers = {package: Provider(package, config) for package, config in said["providers"].items()}
nowhere = Resource({"type": "aws:sns/topic:Topic", "name": "nowhere"}, {},
                   pulumi.ResourceOptions(provider=providers["aws"]))
made = {}

def value(of):
    if isinstance(of, dict):
        if "$ref" in of:
            return made[of["$ref"]].output(of["output"])
        if "$unknown" in of:
            return nowhere.output("arn")
        return {name: value(item) for name, item in of.items()}
    if isinstance(of, list):
        return [value(item) for item in of]
    return of

for declared in said["resources"]:
    opts = pulumi.ResourceOptions(protect=declared["protect"], provider=providers[declared["type"].split(":")[0]])
    made[declared["name"]] = Resource(declared, value(declared["props"]), opts)
"""


class _Accepts(provider_pb2_grpc.ResourceProviderServicer):
    """Every package's provider: each resource is as it was asked for."""

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version="1.0.0")

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ProviderHandshakeResponse()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.ConfigureResponse(acceptSecrets=True, acceptResources=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.DiffResponse()

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        return provider_pb2.CreateResponse(
            id="" if request.preview else request.urn.rpartition("::")[2], properties=request.properties
        )

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()


@contextmanager
def providers() -> Iterator[int]:
    """The port of a provider that accepts everything."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(_Accepts(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0)


@dataclass(frozen=True)
class Said:
    """The engine's messages about a preview or an update."""

    returncode: int
    diagnostics: list[dict[str, Any]]
    text: str

    @property
    def refused(self) -> set[tuple[str, str]]:
        """Policy and resource of each mandatory violation."""
        return {(one["policyName"], one["resource"]) for one in self.diagnostics if one["level"] == "mandatory"}

    @property
    def advised(self) -> set[tuple[str, str]]:
        return {(one["policyName"], one["resource"]) for one in self.diagnostics if one["level"] == "advisory"}


@dataclass(frozen=True)
class Project:
    """A separate program in a separate folder. It does not know botBrains and has no plan."""

    folder: Path
    env: Mapping[str, str]

    def declare(self, families: Mapping[str, Family], home: str) -> None:
        """Make the program register these resources, with the family's name in front of theirs."""
        resources: list[dict[str, Any]] = []
        outputs = {"arn"}
        for prefix, family in families.items():
            for name, resource in family.items():
                props = {key: _written(value, prefix, outputs) for key, value in resource.props.items()}
                # Pools are told apart by their label, and every family's is called the same.
                props = json.loads(json.dumps(props).replace("example-api", f"{prefix.rstrip('/')}-api"))
                resources.append(
                    {"type": resource.type, "name": f"{prefix}{name}", "props": props, "protect": resource.protect}
                )
        used = {"aws", *(str(resource["type"]).partition(":")[0] for resource in resources)}
        said = {
            "providers": {package: {"region": home} if package == "aws" else {} for package in sorted(used)},
            "outputs": sorted(outputs - {"id"}),
            "resources": _in_order(resources),
        }
        (self.folder / "resources.json").write_text(json.dumps(said))

    def run(self, *command: str, config: Mapping[str, Any] | None = None) -> Said:
        """`pulumi preview` or `up` with the pack."""
        if config is not None:
            (self.folder / "pack.json").write_text(json.dumps(config))
            command = (*command, "--policy-pack-config", "pack.json")
        events = self.folder / "events.jsonl"
        events.unlink(missing_ok=True)
        done = subprocess.run(
            ["pulumi", *command, "--non-interactive", "--stack", "dev", "--event-log", str(events)],
            cwd=self.folder,
            env=dict(self.env),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        found = [json.loads(line) for line in events.read_text().splitlines()] if events.exists() else []
        diagnostics = [
            {
                "policyName": policy["policyName"],
                "level": policy["enforcementLevel"],
                "message": policy["message"],
                "resource": policy.get("resourceUrn", "").rpartition("::")[2],
            }
            for event in found
            if (policy := event.get("policyEvent")) is not None
        ]
        return Said(done.returncode, diagnostics, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr))


def _written(value: object, prefix: str, outputs: set[str]) -> object:
    if isinstance(value, Ref):
        outputs.add(value.output)
        return {"$ref": prefix + value.resource, "output": value.output}
    if value is UNKNOWN:
        return {"$unknown": True}
    if isinstance(value, Mapping):
        return {key: _written(item, prefix, outputs) for key, item in value.items()}
    if isinstance(value, list):
        return [_written(item, prefix, outputs) for item in value]
    return value


def _in_order(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """So that each comes after what it refers to."""
    needs = {one["name"]: set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(one["props"]))) for one in resources}
    ordered: list[dict[str, Any]] = []
    while len(ordered) < len(resources):
        there = {one["name"] for one in ordered}
        ready = [one for one in resources if one["name"] not in there and needs[one["name"]] <= there]
        assert ready, "resources that refer to each other in a circle, or to one that is not there"
        ordered += ready
    return ordered


@contextmanager
def project(engine: Engine, folder: Path) -> Iterator[Project]:
    """An empty project with an empty stack."""
    options = f"  name: python\n  options:\n    toolchain: pip\n    virtualenv: {sys.prefix}\n"
    (folder / "Pulumi.yaml").write_text(f"name: unrelated\nruntime:\n{options}")
    (folder / "__main__.py").write_text(PROGRAM)
    state = folder / "state"
    state.mkdir()
    with providers() as port:
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH",)}
        env = {
            **kept,
            "PATH": os.pathsep.join([str(engine.pulumi.parent), os.environ["PATH"]]),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{package}:{port}" for package in PACKAGES),
            "PULUMI_DEBUG_COMMANDS": "true",
        }
        made = Project(folder, env)
        subprocess.run(
            ["pulumi", "stack", "init", "dev", "--non-interactive"],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        yield made
