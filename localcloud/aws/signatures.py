"""The credential that a request is signed with (AWS Signature Version 4). Signatures are not recomputed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs


class Credential(NamedTuple):
    """The parts of `KEY/DATE/REGION/SERVICE/aws4_request`. All are empty without a signature."""

    access_key: str
    region: str = ""
    service: str = ""
    """In lowercase. Region and service are empty if the scope is incomplete."""


def credential_of(environ: Mapping[str, Any]) -> Credential:
    """Read the credential from the `Authorization` header, or from the query of a presigned URL."""
    _, found, text = str(environ.get("HTTP_AUTHORIZATION", "")).partition("Credential=")
    if not found:
        text = parse_qs(environ.get("QUERY_STRING", "")).get("X-Amz-Credential", [""])[0]
    parts = text.split(",")[0].split("/")
    return Credential(parts[0]) if len(parts) < 4 else Credential(parts[0], parts[2], parts[3].lower())
