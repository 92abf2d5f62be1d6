"""Clients of the AWS account that the environment selects. They raise our own errors."""

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

# The outage of a region must be noticed in seconds: the caller still has to read the other regions.
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
_LOG_IN: Final = "set AWS_PROFILE to a profile that is logged in (`aws login`), or AWS_ACCESS_KEY_ID and its companions"
_ASSUME_ROLE: Final = (
    "assume a role first (docs/access.md). If AWS refuses that too, these credentials carry no second factor: assume it"
    " with --serial-number and --token-code"
)


class Aws:
    """One session for all regions. A region that did not answer is not called again: each attempt takes seconds."""

    def __init__(self) -> None:
        import boto3  # loads slowly, and few commands need it

        with translate_errors("the configuration", "this machine"):
            self._session = boto3.session.Session()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lost: dict[str, NoAnswerError] = {}
        self._answers: dict[str, Any] = {}

    def account(self, regions: tuple[str, ...]) -> str:
        """The account's id, from the first region that answers."""
        for region in regions[:-1]:
            try:
                return str(self.call("sts", region, "get_caller_identity")["Account"])
            except CannotLookError:
                continue
        return str(self.call("sts", regions[-1], "get_caller_identity")["Account"])

    def partition(self, region: str) -> str:
        """The partition of the region, such as `aws`: the second part of its ARNs."""
        with translate_errors("the partition", region):
            return str(self._session.get_partition_for_region(region))

    def find(self, service: str, region: str, operation: str, missing: Container[str], **parameters: Any) -> Any | None:
        """Make a call, and return its result. Return None if it fails with an error code in `missing`."""
        try:
            return self.call(service, region, operation, **parameters)
        except RefusedError as error:
            if error.answer in missing:
                return None
            raise

    def clear_cache(self) -> None:
        """Discard the cached results, so that later calls read again."""
        self._answers.clear()

    def call(self, service: str, region: str, operation: str, **parameters: Any) -> Any:
        """Make a call, and translate its errors. Results of reading calls are cached until the next changing call.

        A list is complete: all of its pages are read.

        Raises:
            CannotLookError: the region does not answer, or these credentials may not make the call.
            RefusedError: AWS refuses the call for a different reason.
            CredentialsError: no credentials are set, or AWS does not accept them.
            SetupError: this machine's configuration for AWS is wrong.
        """
        if not operation.startswith(_READING):
            self.clear_cache()
            return self._call(service, region, operation, parameters)
        question = repr((service, region, operation, sorted(parameters.items())))
        if question not in self._answers:
            try:
                self._answers[question] = self._call(service, region, operation, parameters)
            except RefusedError as error:
                self._answers[question] = error
        answer = self._answers[question]
        if isinstance(answer, RefusedError):
            raise answer
        return answer

    def _call(self, service: str, region: str, operation: str, parameters: Mapping[str, Any]) -> Any:
        if region in self._lost and service != "iam":
            raise self._lost[region]
        try:
            with translate_errors(f"{service}:{operation} in {region}", "AWS IAM" if service == "iam" else region):
                client = self._client(service, region)
                if client.can_paginate(operation):
                    return client.get_paginator(operation).paginate(**parameters).build_full_result()
                return getattr(client, operation)(**parameters)
        except NoAnswerError as error:
            if service != "iam":  # IAM is one service for all regions
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
def translate_errors(call: str, where: str) -> Iterator[None]:
    """Translate the exceptions of botocore, from a call or from reading its result, into our own errors.

    Raises:
        NoAnswerError: the endpoint does not answer, or the answer is not from AWS.
        CannotLookError: these credentials may not make the call, or AWS fails.
        RefusedError: AWS refuses the call for a different reason.
        CredentialsError: no credentials are set, or AWS does not accept them.
        UsageError: a parameter, such as a bucket's name, has an invalid form.
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
        # botocore's parser reads an element of the answer without checking that it exists.
        raise NoAnswerError(where, f"what answers {call} is not AWS") from None
    except ClientError as error:
        raise _refusal(error, where, call) from None
    except (EndpointProviderError, ParamValidationError) as error:
        raise UsageError(f"AWS has no {call} with these parameters: {error}") from None
    except NoCredentialsError:
        raise CredentialsError(f"there are no AWS credentials: {_LOG_IN}") from None
    except BotoCoreError as error:
        # Nearly all of botocore's other errors concern a source of credentials: a profile, a login, a program.
        raise CredentialsError(f"AWS ({call}): {error}: {_LOG_IN}") from None
    except (OSError, ValueError) as error:
        # The environment names an unreadable file, or AWS_ENDPOINT_URL is not a URL.
        raise SetupError(f"this machine's configuration for AWS is wrong ({call}): {error}") from None


def _refusal(error: Any, where: str, call: str) -> ContinuityError:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _BAD_CREDENTIALS:
        return CredentialsError(f"AWS does not take these credentials ({code}: {message}): {_LOG_IN}")
    # A 403 for a bucket means that it belongs to a different account. `state_backend.buckets` handles it.
    if code in _NO_ACCESS and not call.startswith("s3:head_bucket"):
        # A user may only assume a role.
        advice = f": {_ASSUME_ROLE}" if ":user/" in message else ""
        return CannotLookError(where, f"these credentials may not call {call} ({message}){advice}")
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return CannotLookError(where, f"{call} fails: {code}: {message}")
    return RefusedError(f"AWS refuses {call}: {code}: {message}", code)
