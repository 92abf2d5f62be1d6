"""The mails that the local cloud has sent, and the confirmation of subscriptions."""

from __future__ import annotations

import json
from collections.abc import Mapping

from localcloud.aws.notifications.mail import FILE
from localcloud.instance.folder import Folder, Running


def read(folder: Folder) -> list[dict[str, str]]:
    """Return all mails, oldest first."""
    file = folder.path / FILE
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def confirm(folder: Folder, running: Running) -> list[Mapping[str, str]]:
    """Confirm each pending subscription, like its recipient does with the link of the mail. Return the mails."""
    import boto3
    from botocore.exceptions import ClientError

    credentials = folder.credentials()
    confirmed: list[Mapping[str, str]] = []
    for mail in read(folder):
        if "token" in mail:
            sns = boto3.client(
                "sns",
                region_name=mail["topic"].split(":")[3],
                endpoint_url=f"http://127.0.0.1:{running.ports['aws']}",
                aws_access_key_id=credentials.aws_access_key_id,
                aws_secret_access_key=credentials.aws_secret_access_key,
            )
            try:
                sns.confirm_subscription(TopicArn=mail["topic"], Token=mail["token"])
            except ClientError:  # confirmed already, or the subscription is gone
                continue
            confirmed.append(mail)
    return confirmed
