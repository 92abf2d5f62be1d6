"""The credential of a signed request."""

from __future__ import annotations

import pytest

from localcloud.aws.signatures import Credential, credential_of


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        (
            {
                "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/eu-central-1/RDS/aws4_request, "
                "SignedHeaders=host, Signature=0"
            },
            Credential("AKIAX", "eu-central-1", "rds"),
        ),
        (
            {"QUERY_STRING": "X-Amz-Credential=AKIAX%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Expires=60"},
            Credential("AKIAX", "eu-west-1", "s3"),
        ),
        ({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=AKIAX/20260101, Signature=0"}, Credential("AKIAX")),
        ({"HTTP_AUTHORIZATION": "Bearer x", "QUERY_STRING": "a=b"}, Credential("")),
        ({}, Credential("")),
    ],
)
def test_credential_is_read(environ: dict[str, str], expected: Credential) -> None:
    assert credential_of(environ) == expected
