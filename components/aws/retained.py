"""Find the keys, secrets and buckets that a destroyed stack has left in AWS, so that its successor imports them."""

from __future__ import annotations

from typing import Any, Final

import pulumi

_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 20
_ATTEMPTS: Final = 2


class RetainedError(pulumi.RunError):
    """A resource exists and cannot be imported. Pulumi shows the message without a traceback."""


class RetainedQueries:
    """Queries to one region, before anything is declared. While a stack exists, they find the stack's own resources.

    Pulumi's option `import_` needs the id of a resource that exists. It has no effect on a resource that is in the
    state already. Each query raises `RetainedError` when AWS does not answer, or when the resource cannot be used.
    """

    def __init__(self, region: str) -> None:
        import botocore.session  # boto3 takes longer to load, and this runs in each preview

        self._region = region
        self._session = botocore.session.get_session()

    def key(self, name: str) -> str | None:
        """The ARN of the key with the alias `alias/NAME`. None if there is none."""
        found = self._find("kms", "describe_key", "NotFoundException", KeyId=f"alias/{name}")
        if found is None:
            return None
        arn, identity, state = (found["KeyMetadata"][field] for field in ("Arn", "KeyId", "KeyState"))
        if state != "Enabled":
            commands = ["cancel-key-deletion"] * (state == "PendingDeletion") + ["enable-key"]
            raise self._unusable(
                f"key alias/{name} is {state}", *(f"kms {command} --key-id {identity}" for command in commands)
            )
        return str(arn)

    def secret(self, name: str) -> str | None:
        """The ARN of a secret. None if there is none."""
        found = self._find("secretsmanager", "describe_secret", "ResourceNotFoundException", SecretId=name)
        if found is None:
            return None
        if found.get("DeletedDate"):
            raise self._unusable(
                f"secret {name} is scheduled for deletion, and until then its name is taken",
                f"secretsmanager restore-secret --secret-id {name}",
            )
        return str(found["ARN"])

    def bucket(self, name: str) -> str | None:
        """The name of a bucket, if the account has it."""
        return None if self._find("s3", "head_bucket", "404", Bucket=name) is None else name

    def _find(self, service: str, call: str, missing: str, **asked: str) -> Any | None:
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
        )
        try:
            client = self._session.create_client(service, region_name=self._region, config=config)
            return getattr(client, call)(**asked)
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == missing:
                return None
            raise RetainedError(
                f"AWS in {self._region} does not say whether {', '.join(asked.values())} exists: {error}\n"
                "Nothing was changed. The environment needs credentials (AWS_*) that may read KMS, Secrets Manager and"
                " S3, and the region has to answer"
            ) from None

    def _unusable(self, what: str, *commands: str) -> RetainedError:
        return RetainedError(
            f"In {self._region} the {what}. Nothing was changed. Bring it back, then run the update again:\n\n"
            + "\n".join(f"  aws {command} --region {self._region}" for command in commands)
        )
