"""Every message arrives at the policies as plain data, and no policy is skipped because of an unknown value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc
from pulumi_policy import deserialize, proxy

from policy_pack import UNKNOWN
from policy_pack.engine.wire import OUTPUT, SECRET, SIGNATURE, UNKNOWN_WORDS, properties, written
from tests.policy_pack.resources import HOME


def struct(values: Mapping[str, Any]) -> Struct:
    made = Struct()
    made.update(values)
    return made


def test_the_markers_are_the_sdks_own() -> None:
    assert deserialize.SPECIAL_SIG_KEY == SIGNATURE
    assert deserialize.SPECIAL_SECRET_SIG == SECRET
    assert rpc._special_output_value_sig == OUTPUT
    assert {value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_")} == UNKNOWN_WORDS
    assert rpc.UNKNOWN in UNKNOWN_WORDS


def test_everything_arrives_as_plain_data() -> None:
    props = {"days": 35.0, "ratio": 0.5, "on": True, "none": None, "rules": [{"days": 7.0}, "text", [1.0]]}
    read = properties(struct(props))
    assert read == {"days": 35, "ratio": 0.5, "on": True, "none": None, "rules": [{"days": 7}, "text", [1]]}
    assert type(read["days"]) is int
    assert type(read["on"]) is bool


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan"), 1e300])
def test_no_number_breaks_it(number: float) -> None:
    assert repr(properties(struct({"it": number}))["it"]) in (repr(number), repr(int(1e300)))


@pytest.mark.parametrize("word", sorted(UNKNOWN_WORDS))
def test_what_is_unknown_becomes_the_marker_wherever_it_is(word: str) -> None:
    props = {"a": word, "b": [1.0, word, {"c": word}], "d": {"e": [[word]]}, "f": "known"}
    assert properties(struct(props)) == {
        "a": UNKNOWN,
        "b": [1, UNKNOWN, {"c": UNKNOWN}],
        "d": {"e": [[UNKNOWN]]},
        "f": "known",
    }
    provider = {"region": word, "endpoints": json.dumps([word])}
    assert properties(struct(provider), "pulumi:providers:aws") == {"region": UNKNOWN, "endpoints": [UNKNOWN]}


def test_secrets_and_outputs_are_what_they_hold() -> None:
    props = {
        "secret": {SIGNATURE: SECRET, "value": [HOME, {SIGNATURE: SECRET, "value": "x"}]},
        "known": {SIGNATURE: OUTPUT, "value": 3.0, "secret": True, "dependencies": []},
        "unknown": {SIGNATURE: OUTPUT, "dependencies": ["urn"]},
    }
    assert properties(struct(props)) == {"secret": [HOME, "x"], "known": 3, "unknown": UNKNOWN}


def test_assets_are_judged_by_what_they_are_made_of() -> None:
    asset = {SIGNATURE: "c44067f5952c0a294b673a41bacd8c17", "text": "arn:aws:sns:us-east-1:1:t"}
    assert properties(struct({"code": asset})) == {"code": {"text": "arn:aws:sns:us-east-1:1:t"}}


def test_a_providers_configuration_is_read_out_of_its_json() -> None:
    wire = {
        "region": HOME,
        "endpoints": json.dumps([{"s3": "https://s3.example", "rds": min(UNKNOWN_WORDS)}]),
        "defaultTags": json.dumps({"days": 3.0, "hidden": {SIGNATURE: SECRET, "value": [HOME]}}),
        "skipRegionValidation": "false",
        "profile": "[not json",
        "deep": "[" * 100_000,
    }
    assert properties(struct(wire), "pulumi:providers:aws") == {
        "region": HOME,
        "endpoints": [{"s3": "https://s3.example", "rds": UNKNOWN}],
        "defaultTags": {"days": 3, "hidden": [HOME]},
        "skipRegionValidation": "false",
        "profile": "[not json",
        "deep": "[" * 100_000,
    }
    policy = json.dumps({"Statement": []})
    assert properties(struct({"policy": policy}), "aws:iam/policy:Policy") == {"policy": policy}


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "text", UNKNOWN])
def test_what_is_written_is_read_back(value: object) -> None:
    made = Struct()
    made.fields["it"].CopyFrom(written(value))
    assert properties(made) == {"it": value}
