"""A dictionary as a cloud, and a Pulumi project that uses it through the real engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psutil

from localcloud.engine.provide import Engine
from localcloud.instance.folder import Folder, Running
from localcloud.instance.state import write_atomically
from localcloud.plugins import standin
from localcloud.plugins.broker import Broker
from localcloud.plugins.table import GoneError, Plugin, Property, Props, RefusedError, ResourceType

PROGRAM = """
import json, os, pulumi

def thing(label, outputs=("arn",), opts=None, kind="Thing", **inputs):
    class Toy(pulumi.CustomResource):
        def __init__(self):
            super().__init__(f"toy:index/{kind.lower()}:{kind}", label, {**{o: None for o in outputs}, **inputs}, opts)
    return Toy()

exec(os.environ["TOY_PROGRAM"])
"""


class ToyCloud:
    """A dictionary in the role of a cloud, which records its calls."""

    def __init__(self) -> None:
        self.things: dict[str, Props] = {}
        self.asked: list[str] = []
        self.fail_settling = False

    def create(self, cloud: Any, inputs: Props) -> str:
        identity = f"t-{len(self.asked)}"
        self.asked.append(f"create {inputs['name']}")
        if inputs["name"] == "never":
            raise RefusedError("`name` is 'never'; allowed: anything else")
        self.things[identity] = {"color": "blue", "protected": False, **inputs, "arn": f"arn:{identity}"}
        return identity

    def settle(self, cloud: Any, id: str, inputs: Props) -> None:
        if self.fail_settling:
            raise RuntimeError("the toy cloud lost its temper half way")

    def read(self, cloud: Any, id: str, state: Props) -> Props:
        if id not in self.things:
            raise GoneError(id)
        return {key: value for key, value in self.things[id].items() if key != "password"}

    def update(self, cloud: Any, id: str, old: Props, new: Props, changed: frozenset[str]) -> None:
        self.asked.append(f"update {sorted(changed)}")
        self.things[id].update({"color": "blue", "protected": False, **new})

    def delete(self, cloud: Any, id: str, state: Props) -> None:
        self.asked.append(f"delete {self.things[id]['name']}")
        del self.things[id]

    def find(self, cloud: Any, inputs: Props) -> str | None:
        return next((id for id, thing in self.things.items() if thing["name"] == inputs["name"]), None)

    def plugin(self) -> Plugin:
        thing = ResourceType(
            token="toy:index/thing:Thing",
            properties={
                "name": Property(replaces=True, generated_name=True),
                "color": Property(default="blue", choices=("blue", "red")),
                "protected": Property(default=False),
                "size": Property(required=True),
                "password": Property(secret=True, write_only=True),
                "policy": Property(same=lambda one, other: json.loads(one) == json.loads(other)),
            },
            computed=("arn",),
            create=self.create,
            settle=self.settle,
            read=self.read,
            update=self.update,
            delete=self.delete,
            find=self.find,
        )
        return Plugin(
            name="toy",
            version="1.0.0",
            configuration={},
            connect=lambda settings, environ: self,
            resources=(thing,),
        )


class Stack:
    """A Pulumi project of one file, in a separate folder, with the toy plugin on PATH."""

    def __init__(self, engine: Engine, folder: Path, cloud: ToyCloud) -> None:
        self.folder, self.cloud = folder, cloud
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "Pulumi.yaml").write_text("name: toys\nruntime: python\n")
        (self.project / "__main__.py").write_text(PROGRAM)
        local = Folder(folder / "cloud")
        self.broker = Broker(0, "secret", {"toy": cloud.plugin})
        threading.Thread(target=self.broker.serve_forever, daemon=True).start()
        local.remember(
            Running(
                pid=os.getpid(),
                created=psutil.Process().create_time(),
                ports={},
                broker_port=self.broker.server_address[1],
                secret="secret",
            )
        )
        script = f'#!/bin/sh\nexec {sys.executable} -I -S {standin.__file__} {local.path} toy "$@"\n'
        write_atomically(folder / "home/plugins/resource-toy-v1.0.0/pulumi-resource-toy", script.encode(), mode=0o755)
        path = [str(engine.pulumi.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
        self.env = {
            **os.environ,
            "PATH": os.pathsep.join(path),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder}",
            "PULUMI_CONFIG_PASSPHRASE": "toys",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self.pulumi("stack", "init", "dev")

    def pulumi(self, *arguments: str, program: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.project,
            env={**self.env, "TOY_PROGRAM": program},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        print(f"$ pulumi {' '.join(arguments)}  -> {done.returncode}\n{said}")
        assert (done.returncode != 0) == fails, said
        return said

    def up(self, program: str, fails: bool = False) -> str:
        return self.pulumi("up", "--yes", "--skip-preview", program=program, fails=fails)

    def preview(self, program: str, fails: bool = False) -> str:
        return self.pulumi("preview", "--diff", program=program, fails=fails)

    def steps(self) -> dict[str, int]:
        history = json.loads(self.pulumi("stack", "history", "--json"))
        changes: dict[str, int] = history[0]["resourceChanges"]
        return {step: count for step, count in changes.items() if step != "same"}

    def resources(self) -> list[dict[str, Any]]:
        deployment = json.loads(self.pulumi("stack", "export"))["deployment"]
        return [resource for resource in deployment.get("resources", []) if resource["type"].startswith("toy:")]
