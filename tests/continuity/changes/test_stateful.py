"""The table of what holds data, and that each of its readers knows all of it."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from continuity.changes.destroy import inspect_stack
from continuity.changes.stateful import data_loss_risks
from continuity.engine import pulumi_cli
from continuity.engine.events import Step, short_type
from continuity.engine.stacks import Stack
from plan.stateful import BY_TYPE, STATEFUL
from policy_pack.catalogue import concerning
from policy_pack.rules.pulumi_protection import KEPT


def test_no_type_is_in_the_table_twice() -> None:
    assert sum(len(stateful.types) for stateful in STATEFUL) == len(BY_TYPE)


@pytest.mark.parametrize("type_", BY_TYPE)
def test_provider_has_each_type(type_: str) -> None:
    package, path, kind = type_.split(":")
    module = "" if path.startswith("index/") else f".{path.partition('/')[0]}"
    sdk = importlib.import_module(f"pulumi_{package}{module}")
    assert getattr(sdk, kind).pulumi_type == type_


@pytest.mark.parametrize("type_", BY_TYPE)
def test_each_reader_knows_each_type(type_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stateful = BY_TYPE[type_]
    assert (KEPT in concerning(type_)) is stateful.protect

    step = Step("replace", short_type(type_), "it")
    assert list(data_loss_risks([step])) == [(step, stateful.loss)]

    state: list[Any] = [{"urn": f"urn:pulumi:prod::botbrains::{type_}::it", "type": type_, "protect": True}]
    monkeypatch.setattr(pulumi_cli, "read_resources", lambda stack: state)
    losses = inspect_stack(Stack.PROD).losses
    assert [loss.what for loss in losses] == ([stateful.loss] if stateful.kind == "data" else [])
