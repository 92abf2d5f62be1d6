"""The program's own judge, between a program and an engine that only takes notes."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime.proto import resource_pb2

from plan import load
from policy_pack.engine.program import Judged
from policy_pack.verdicts import Judge

PLAN = load()
HOME = PLAN.residency.aws.home_region
QUEUE = "aws:sqs/queue:Queue"
PROVIDER = "pulumi:providers:aws"


class Engine:
    """Takes everything, and gives it a URN."""

    def __init__(self) -> None:
        self.registered: list[str] = []
        self.ended = False

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        self.registered.append(request.name)
        return resource_pb2.RegisterResourceResponse(urn=f"urn:{request.name}", object=request.object)

    def SignalAndWaitForShutdown(self, request: Any) -> None:  # noqa: N802
        self.ended = True

    def SupportsFeature(self, request: Any) -> str:  # noqa: N802
        return "yes"


def request(type_: str, name: str, provider: str = "", **props: Any) -> resource_pb2.RegisterResourceRequest:
    made = resource_pb2.RegisterResourceRequest(type=type_, name=name, custom=True, provider=provider)
    made.object.update(props)
    return made


def judged(preview: bool) -> tuple[Judged, Engine]:
    engine = Engine()
    return Judged(engine, Judge(PLAN, stack="test", waivers=()), preview=preview), engine


def test_an_update_ends_before_what_is_refused_is_registered() -> None:
    program, engine = judged(preview=False)
    with pytest.raises(pulumi.RunError, match="1 violation\n  aws-region-in-eu: aws:sqs/queue:Queue 'far': region is"):
        program.RegisterResource(request(QUEUE, "far", region="us-east-1"))
    assert engine.registered == []


def test_a_preview_goes_on_to_its_end_and_then_says_all_that_is_refused() -> None:
    program, engine = judged(preview=True)
    for name, region in (("far", "us-east-1"), ("near", HOME), ("london", "eu-west-2")):
        program.RegisterResource(request(QUEUE, name, region=region))
    assert engine.registered == ["far", "near", "london"]
    with pytest.raises(pulumi.RunError, match=r"2 violations\n .*'far'.*\n .*'london'"):
        program.SignalAndWaitForShutdown(None)
    assert not engine.ended


def test_what_complies_is_passed_on_and_so_is_everything_else() -> None:
    program, engine = judged(preview=False)
    program.RegisterResource(request(PROVIDER, "aws", region=HOME))
    # A provider is referred to by its URN and its id.
    program.RegisterResource(request(QUEUE, "near", provider="urn:aws::id"))
    program.SignalAndWaitForShutdown(None)
    assert engine.registered == ["aws", "near"]
    assert engine.ended
    assert program.SupportsFeature(None) == "yes"


def test_the_region_of_its_provider_counts() -> None:
    program, _ = judged(preview=True)
    program.RegisterResource(request(PROVIDER, "aws", region="us-east-1"))
    program.RegisterResource(request(QUEUE, "far", provider="urn:aws::id"))
    with pytest.raises(pulumi.RunError, match="region of its provider 'aws' is 'us-east-1'"):
        program.SignalAndWaitForShutdown(None)


def in_a_run_of_its_own(do: Callable[[], None]) -> None:
    """Pulumi keeps a run's configuration in context variables."""
    contextvars.copy_context().run(do)


@pytest.mark.parametrize(("region", "refused"), [(HOME, False), ("us-east-1", True)])
def test_the_default_provider_has_what_the_stacks_configuration_says(region: str, refused: bool) -> None:
    def run() -> None:
        pulumi.runtime.set_all_config({"aws:region": region}, [])
        program, _ = judged(preview=False)
        if refused:
            with pytest.raises(pulumi.RunError, match=f"region of its provider 'default' is '{region}'"):
                program.RegisterResource(request(QUEUE, "it"))
        else:
            program.RegisterResource(request(QUEUE, "it"))

    in_a_run_of_its_own(run)
