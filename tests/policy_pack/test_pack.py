"""The pack, started as the engine starts it, and asked what the engine asks: all of it but the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.proxy import UNKNOWN_NUMBER_VALUE, UNKNOWN_STRING_VALUE

from plan import load
from policy_pack import ALL
from policy_pack.documentation.examples.data import database
from policy_pack.documentation.examples.model import Ref
from policy_pack.engine.analyzer import VERSION
from policy_pack.rules.resource_types import RDS_INSTANCE

PACK = Path(__file__).parents[2] / "policy_pack"

PLAN = load()
HOME = PLAN.residency.aws.home_region

DATABASE = {
    name: UNKNOWN_STRING_VALUE if isinstance(value, Ref) else value
    for name, value in database(PLAN)["database"].props.items()
    if name != "vpcSecurityGroupIds"
} | {"vpcSecurityGroupIds": [UNKNOWN_STRING_VALUE]}


@pytest.fixture(scope="module")
def analyzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A connection to the pack. It runs elsewhere, and finds its way back by itself."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)],
        cwd=elsewhere,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            # The engine takes the first line for the port: a pack that prints anything before it does not start.
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.terminate()


def analyze(analyzer: Any, type_: str, props: Mapping[str, Any], provider: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The pack's diagnostics about a resource, by the names of the policies."""
    request = analyzer_pb2.AnalyzeRequest(type=type_, urn="urn:pulumi:prod::botbrains::it", name="it")
    request.properties.CopyFrom(_struct(props))
    request.options.protect = True
    request.provider.type = "pulumi:providers:aws"
    request.provider.name = "aws"
    request.provider.properties.CopyFrom(_struct(provider))
    diagnostics: dict[str, list[Any]] = {}
    for diagnostic in analyzer.Analyze(request).diagnostics:
        diagnostics.setdefault(diagnostic.policyName, []).append(diagnostic)
    return diagnostics


def _struct(values: Mapping[str, Any]) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


def test_it_presents_itself_with_every_policy_mandatory(analyzer: Any) -> None:
    info = analyzer.GetAnalyzerInfo(Empty())
    assert info.name == "botbrains-continuity"
    assert [policy.name for policy in info.policies] == [*(policy.id for policy in ALL), "exceptions-valid"]
    advisory = {policy.name for policy in info.policies if policy.enforcementLevel != analyzer_pb2.MANDATORY}
    assert advisory == {"database-maintained"}
    assert {policy.framework.reference for policy in info.policies} <= {control.id for control in PLAN.controls}


def test_it_lets_pass_what_the_plan_wants(analyzer: Any) -> None:
    assert analyze(analyzer, RDS_INSTANCE, DATABASE, {"region": HOME}) == {}


def test_it_refuses_what_the_plan_does_not_allow(analyzer: Any) -> None:
    props = {**DATABASE, "backupRetentionPeriod": 7, "availabilityZone": "us-east-1a"}
    found = analyze(analyzer, RDS_INSTANCE, props, {"region": "us-east-1", "defaultTags": '{"tags": {"team": "x"}}'})
    assert sorted(found) == ["aws-region-in-arguments", "aws-region-in-eu", "database-backup-retention"]
    for diagnostics in found.values():
        for diagnostic in diagnostics:
            assert diagnostic.enforcementLevel == analyzer_pb2.MANDATORY
    (retention,) = found["database-backup-retention"]
    assert f"allowed is {PLAN.retention.database_backup_days} days or more" in retention.message


def test_an_unknown_value_is_a_mandatory_violation_and_not_advice(analyzer: Any) -> None:
    props = {**DATABASE, "backupRetentionPeriod": UNKNOWN_NUMBER_VALUE}
    found = analyze(analyzer, RDS_INSTANCE, props, {"region": HOME})
    assert [(name, [one.enforcementLevel for one in of]) for name, of in found.items()] == [
        ("database-backup-retention", [analyzer_pb2.MANDATORY])
    ]


def test_its_file_leads_to_an_environment_that_the_project_file_names_too() -> None:
    file = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text(encoding="utf-8"))
    project = yaml.safe_load((PACK.parent / "Pulumi.yaml").read_text(encoding="utf-8"))
    assert file["version"] == VERSION
    options, theirs = file["runtime"]["options"], project["runtime"]["options"]
    assert options["toolchain"] == theirs["toolchain"]
    assert (PACK / options["virtualenv"]).resolve() == (PACK.parent / theirs["virtualenv"]).resolve()
