"""The AWS account that the environment leads to: its clients, and what their errors mean to a person."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from continuity.errors import (
    CannotLookError,
    ContinuityError,
    CredentialsError,
    NoAnswerError,
    RefusedError,
    SetupError,
    UsageError,
)

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


class Aws:
    """One session for all regions. A region that did not answer is not asked again: each attempt takes its seconds."""

    def __init__(self) -> None:
        import boto3  # takes a while to load, and few commands need it

        with told_apart("the configuration", "this machine"):
            self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lost: dict[str, NoAnswerError] = {}
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
        with told_apart("the partition", region):
            return str(self._session.get_partition_for_region(region))

    def find(self, service: str, region: str, operation: str, missing: Container[str], **asked: Any) -> Any | None:
        """What a call answers; None when the answer is one of the error codes `missing`."""
        try:
            return self.call(service, region, operation, **asked)
        except RefusedError as error:
            if error.answer in missing:
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
            CredentialsError: there are no credentials, or none that AWS accepts.
            SetupError: this machine's configuration for AWS is wrong.
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
        if region in self._lost and service != "iam":
            raise self._lost[region]
        try:
            with told_apart(f"{service}:{operation} in {region}", "AWS IAM" if service == "iam" else region):
                return getattr(self._client(service, region), operation)(**asked)
        except NoAnswerError as error:
            if service != "iam":  # which is one for all regions
                self._lost[region] = error
            raise

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


@contextmanager
def told_apart(call: str, where: str) -> Iterator[None]:
    """Turn what botocore raises while a call is made, or its answer is read, into our own errors.

    Raises:
        NoAnswerError: nothing answers there, or what answers is not AWS.
        CannotLookError: these credentials may not make the call, or AWS fails.
        RefusedError: AWS says no for another reason.
        CredentialsError: there are no credentials, or none that AWS accepts.
        UsageError: a parameter, such as a bucket's name, has a form that AWS does not know.
        SetupError: this machine's configuration for AWS is wrong.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointProviderError,
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
        ParamValidationError,
    )
    from botocore.exceptions import ConnectionError as NoConnectionError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except (NoConnectionError, HTTPClientError, IncompleteReadError) as error:
        raise NoAnswerError(where, f"it does not answer ({error})") from None
    except (ResponseParserError, LookupError):
        # botocore's parser looks for an element of the answer without asking whether it is there.
        raise NoAnswerError(where, f"what answers {call} is not AWS") from None
    except ClientError as error:
        raise _refusal(error, where, call) from None
    except (EndpointProviderError, ParamValidationError) as error:
        raise UsageError(f"AWS has no {call} with these parameters: {error}") from None
    except NoCredentialsError:
        raise CredentialsError(f"there are no AWS credentials: {_LOG_IN}") from None
    except BotoCoreError as error:
        # Of its many other errors, nearly all are about where credentials come from: a profile, a login, a program.
        raise CredentialsError(f"AWS ({call}): {error}: {_LOG_IN}") from None
    except (OSError, ValueError) as error:
        # A file that the environment names cannot be read, or AWS_ENDPOINT_URL is not a URL.
        raise SetupError(f"this machine's configuration for AWS is wrong ({call}): {error}") from None


def _refusal(error: Any, where: str, call: str) -> ContinuityError:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"AWS does not take these credentials ({code}: {message}): {_LOG_IN}")
    # A bucket's 403 says whose it is, so it is not a word about the region: `bootstrap_buckets` reads it.
    if code in _NO_ACCESS and not call.startswith("s3:head_bucket"):
        return CannotLookError(where, f"these credentials may not call {call} ({message})")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return CannotLookError(where, f"{call} fails: {code}: {message}")
    return RefusedError(f"AWS refuses {call}: {code}: {message}", code)
