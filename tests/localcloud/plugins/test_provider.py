"""The stand-in core under the real engine: a toy cloud, so that each turn of a resource's life can be forced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from localcloud.engine.provide import Engine
from localcloud.instance.folder import Folder, Running
from localcloud.instance.state import write_atomically
from localcloud.plugins import standin
from localcloud.plugins.broker import Broker
from localcloud.plugins.table import Gone, Plugin, Property, Props, Refused, ResourceType

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
    """A dictionary that pretends to be a cloud, and notes what it was asked."""

    def __init__(self) -> None:
        self.things: dict[str, Props] = {}
        self.asked: list[str] = []
        self.fail_settling = False

    def create(self, cloud: Any, inputs: Props) -> str:
        identity = f"t-{len(self.asked)}"
        self.asked.append(f"create {inputs['name']}")
        if inputs["name"] == "never":
            raise Refused("`name` is 'never'; allowed: anything else")
        self.things[identity] = {"color": "blue", "protected": False, **inputs, "arn": f"arn:{identity}"}
        return identity

    def settle(self, cloud: Any, id: str, inputs: Props) -> None:
        if self.fail_settling:
            raise RuntimeError("the toy cloud lost its temper half way")

    def read(self, cloud: Any, id: str, state: Props) -> Props:
        if id not in self.things:
            raise Gone(id)
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
    """A Pulumi project of one file, in a folder of its own, with the toy plugin on PATH."""

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


@pytest.fixture
def stack(engine: Engine, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(engine, tmp_path, ToyCloud())
    yield made
    made.broker.shutdown()
    made.broker.server_close()


def test_a_resource_is_made_changed_replaced_and_removed(stack: Stack) -> None:
    stack.up("thing('a', name='one', size=1)")
    assert stack.steps() == {"create": 2}  # the stack itself is one
    stack.up("thing('a', name='one', size=1, color='blue')")  # the documented default, said aloud: no change
    assert stack.steps() == {}
    stack.up("thing('a', name='one', size=2)")
    assert stack.steps() == {"update": 1}
    assert stack.cloud.asked[-1] == "update ['size']"
    stack.up("thing('a', name='two', size=2)")
    assert stack.steps() == {"replace": 1}
    assert [thing["name"] for thing in stack.cloud.things.values()] == ["two"]
    assert stack.cloud.asked[-2:] == ["create two", "delete one"]
    stack.pulumi("destroy", "--yes", "--skip-preview")
    assert stack.cloud.things == {}


def test_what_only_the_cloud_knows_is_unknown_in_a_preview_and_flows_on(stack: Stack) -> None:
    program = """
first = thing('first', name='first', size=1)
thing('second', name='second', size=first.arn)
pulumi.export('of', first.arn.apply(lambda arn: f'knows {arn}'))
"""
    said = stack.preview(program)
    assert "knows" not in said
    assert stack.cloud.asked == []  # a preview asks the cloud for nothing
    assert "knows arn:t-0" in stack.up(program)
    assert stack.cloud.things["t-1"]["size"] == "arn:t-0"


def test_a_secret_stays_one_in_state_and_output(stack: Stack) -> None:
    program = "thing('a', outputs=('arn', 'size'), name='one', size=pulumi.Output.secret('hush'), password='pst-word')"
    for said in (stack.preview(program), stack.up(program)):
        assert "hush" not in said
        assert "pst-word" not in said
    assert stack.cloud.things["t-0"]["size"] == "hush"
    assert stack.cloud.things["t-0"]["password"] == "pst-word"
    written = json.dumps(stack.resources())
    assert "hush" not in written
    assert "pst-word" not in written
    stack.up(program)
    assert stack.steps() == {}


def test_a_refresh_shows_what_somebody_changed_by_hand_and_nothing_else(stack: Stack) -> None:
    program = """thing('a', name='one', size=1, policy='{"a": 1, "b": 2}', password='p')"""
    stack.up(program)
    stack.cloud.things["t-0"]["policy"] = '{"b":2,"a":1}'  # the same, as a cloud would word it
    stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    stack.cloud.things["t-0"]["protected"] = True  # nobody declared that
    stack.cloud.things["t-0"]["size"] = 7
    assert "updated" in stack.pulumi("refresh", "--yes", "--skip-preview")
    stack.up(program)
    assert stack.steps() == {"update": 1}
    assert (stack.cloud.things["t-0"]["protected"], stack.cloud.things["t-0"]["size"]) == (False, 1)
    del stack.cloud.things["t-0"]
    stack.pulumi("refresh", "--yes", "--skip-preview")
    assert stack.resources() == []


def test_an_import_takes_what_exists_with_the_inputs_that_describe_it(stack: Stack) -> None:
    stack.cloud.things["t-9"] = {"name": "old", "color": "red", "protected": False, "size": 4, "arn": "arn:t-9"}
    stack.up("thing('a', name='old', size=4, color='red', opts=pulumi.ResourceOptions(import_='t-9'))")
    assert stack.steps() == {"create": 1, "import": 1}
    assert stack.cloud.asked == []
    [imported] = stack.resources()
    assert imported["inputs"] == {"name": "old", "size": 4, "color": "red"} | {
        key: value for key, value in imported["inputs"].items() if key == "__defaults"
    }


def test_what_has_no_mapping_is_refused_by_name_before_anything_is_made(stack: Stack) -> None:
    said = stack.preview("thing('a', size=1, flavour='sweet')", fails=True)
    assert "no mapping for the property `flavour` of toy:index/thing:Thing" in said
    said = stack.preview("thing('a', kind='Gadget')", fails=True)
    assert "no mapping for the resource type toy:index/gadget:Gadget" in said
    assert "toy needs `size`" not in said
    said = stack.preview("thing('a', name='x')", fails=True)
    assert "toy:index/thing:Thing needs `size`" in said
    said = stack.preview("thing('a', size=1, color='green')", fails=True)
    assert "'green'; allowed: 'blue', 'red'" in said
    assert stack.cloud.asked == []


def test_a_name_that_is_left_out_is_made_up_once(stack: Stack) -> None:
    stack.up("thing('a', size=1)")
    [made] = stack.cloud.things.values()
    assert made["name"].startswith("a-")
    assert len(made["name"]) == 9
    stack.up("thing('a', size=1)")
    assert stack.steps() == {}


def test_a_refusal_of_the_cloud_reaches_the_person(stack: Stack) -> None:
    assert "`name` is 'never'; allowed: anything else" in stack.up("thing('a', name='never', size=1)", fails=True)
    assert stack.resources() == []


def test_a_half_made_object_is_kept_and_finished_not_made_twice(stack: Stack) -> None:
    stack.cloud.fail_settling = True
    assert "lost its temper" in stack.up("thing('a', name='one', size=1)", fails=True)
    [kept] = stack.resources()
    assert kept["id"] == "t-0"
    assert kept["initErrors"]
    stack.cloud.fail_settling = False
    stack.up("thing('a', name='one', size=1)")
    assert list(stack.cloud.things) == ["t-0"]
    assert stack.cloud.asked.count("create one") == 1


def test_a_stand_in_says_when_the_local_cloud_does_not_run(stack: Stack) -> None:
    (stack.folder / "cloud" / "running.json").unlink()
    assert "the local cloud is not running" in stack.preview("thing('a', size=1)", fails=True)
