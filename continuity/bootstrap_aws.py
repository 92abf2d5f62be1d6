"""The AWS account that the environment leads to: its clients, and what their errors mean to a person."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Final

from continuity.stacks import ContinuityError

# A region that is lost must be noticed in seconds: whoever asks has other regions to look at.
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 20
_ATTEMPTS: Final = 3

_READING: Final = ("describe_", "get_", "head_", "list_")
_NO_ACCESS: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AllAccessDisabled", "403"}
)
_BAD_CREDENTIALS: Final = frozenset(
    {
        "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId", "SignatureDoesNotMatch",
        "UnrecognizedClientException", "InvalidToken",
    }
)  # fmt: skip
_LOG_IN: Final = (
    "set AWS_PROFILE to a profile that is logged in (`aws sso login`), or AWS_ACCESS_KEY_ID and its companions"
)


class CannotLookError(Exception):
    """A region does not answer, or does not let us look: what is there stays unknown."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class RefusedError(ContinuityError):
    """AWS refused a call. `code` of the answer is `aws_code`."""

    def __init__(self, where: str, aws_code: str, message: str) -> None:
        super().__init__(f"AWS refuses {where}: {aws_code}: {message}")
        self.aws_code = aws_code


class Aws:
    """One session for all regions. A region that did not answer is not asked again: each attempt takes its seconds."""

    def __init__(self) -> None:
        import boto3  # takes a while to load, and few commands need it
        from botocore.exceptions import BotoCoreError

        try:
            self._session = boto3.session.Session()
        except BotoCoreError as error:
            raise ContinuityError(f"AWS: {error}: {_LOG_IN}") from None
        self._clients: dict[tuple[str, str], Any] = {}
        self._lost: dict[str, CannotLookError] = {}
        self._answers: dict[str, Any] = {}

    def account(self, regions: tuple[str, ...]) -> str:
        """The account's id, from the first of the regions that answers."""
        for region in regions[:-1]:
            try:
                return str(self.call("sts", region, "get_caller_identity")["Account"])
            except CannotLookError:
                continue
        return str(self.call("sts", regions[-1], "get_caller_identity")["Account"])

    def partition(self, region: str) -> str:
        """The second word of every ARN in the region."""
        return str(self._session.get_partition_for_region(region))

    def find(self, service: str, region: str, operation: str, missing: Container[str], **asked: Any) -> Any | None:
        """What a call answers; None when the answer is one of the error codes `missing`."""
        try:
            return self.call(service, region, operation, **asked)
        except RefusedError as error:
            if error.aws_code in missing:
                return None
            raise

    def forget(self) -> None:
        """Ask anew from here on."""
        self._answers.clear()

    def call(self, service: str, region: str, operation: str, **asked: Any) -> Any:
        """One call, with its errors told apart. What was read is not read again before something changes.

        Raises:
            CannotLookError: the region does not answer, or these credentials may not make the call.
            RefusedError: AWS says no for another reason.
            ContinuityError: there are no credentials, or none that AWS takes.
        """
        if not operation.startswith(_READING):
            self.forget()
            return self._call(service, region, operation, asked)
        question = repr((service, region, operation, sorted(asked.items())))
        if question not in self._answers:
            try:
                self._answers[question] = self._call(service, region, operation, asked)
            except RefusedError as error:
                self._answers[question] = error
        answer = self._answers[question]
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    def _call(self, service: str, region: str, operation: str, asked: Mapping[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, NoCredentialsError

        if region in self._lost and service != "iam":
            raise self._lost[region]
        where = f"{service}:{operation} in {region}"
        try:
            return getattr(self._client(service, region), operation)(**asked)
        except HTTPClientError as error:
            lost = CannotLookError("AWS IAM" if service == "iam" else region, f"it does not answer ({error})")
            if service != "iam":  # which is one for all regions
                self._lost[region] = lost
            raise lost from None
        except NoCredentialsError:
            raise ContinuityError(f"there are no AWS credentials: {_LOG_IN}") from None
        except ClientError as error:
            raise _told_apart(error, region, where) from None
        except BotoCoreError as error:
            raise ContinuityError(f"AWS ({where}): {error}: {_LOG_IN}") from None

    def _client(self, service: str, region: str) -> Any:
        from botocore.config import Config

        if (service, region) not in self._clients:
            config = Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            )
            self._clients[service, region] = self._session.client(service, region_name=region, config=config)
        return self._clients[service, region]


def _told_apart(error: Any, region: str, where: str) -> Exception:
    code = str(error.response["Error"].get("Code", "unknown"))
    message = str(error.response["Error"].get("Message", ""))
    if code in _BAD_CREDENTIALS:
        return ContinuityError(f"AWS does not take these credentials ({code}: {message}): {_LOG_IN}")
    # A bucket's 403 says whose it is, so it is not a word about the region: `bootstrap_buckets` reads it.
    if code in _NO_ACCESS and not where.startswith("s3:head_bucket"):
        return CannotLookError(region, f"these credentials may not call {where} ({message})")
    if error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= 500:
        return CannotLookError(region, f"{where} fails: {code}: {message}")
    return RefusedError(where, code, message)
