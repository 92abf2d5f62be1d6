"""Calls of AWS, with the local AWS."""

from __future__ import annotations

import pytest

from continuity.clouds.aws import Aws
from tests.continuity.state_backend.support import use
from tests.localcloud.aws_harness import THERE, local_aws


def test_lists_have_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_aws() as running:
        use(running, monkeypatch)
        sns = running.client("sns", THERE)
        made = {sns.create_topic(Name=f"topic-{number}")["TopicArn"] for number in range(101)}
        assert len(sns.list_topics()["Topics"]) == 100
        assert {each["TopicArn"] for each in Aws().call("sns", THERE, "list_topics")["Topics"]} == made
