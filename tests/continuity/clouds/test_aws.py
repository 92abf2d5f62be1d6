"""Calls of AWS, with the local AWS."""

from __future__ import annotations

import pytest

from continuity.clouds.aws import Aws
from continuity.errors import CannotLookError
from tests.continuity.state_backend.support import use
from tests.localcloud.aws_harness import THERE, local_aws


def test_lists_have_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_aws() as running:
        use(running, monkeypatch)
        sns = running.client("sns", THERE)
        made = {sns.create_topic(Name=f"topic-{number}")["TopicArn"] for number in range(101)}
        assert len(sns.list_topics()["Topics"]) == 100
        assert {each["TopicArn"] for each in Aws().call("sns", THERE, "list_topics")["Topics"]} == made


def test_refusal_of_a_user_names_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_aws(enforce_iam=True) as running:
        iam = running.client("iam")
        iam.create_user(UserName="ann")
        key = iam.create_access_key(UserName="ann")["AccessKey"]
        use(running, monkeypatch)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with pytest.raises(CannotLookError, match=r"user/ann .*assume a role first .*--serial-number and --token-code"):
            Aws().call("iam", THERE, "list_users")
