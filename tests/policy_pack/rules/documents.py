"""Policy documents of AWS in the ways that people break them."""

from __future__ import annotations

import json
from typing import Any, Final

_STATEMENT: Final[dict[str, Any]] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sns:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def _with(**change: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{**_STATEMENT, **change}]})


BROKEN: Final[tuple[object, ...]] = (
    _with(Condition=[{"Bool": {"aws:SecureTransport": "false"}}]),
    _with(Condition={"Bool": [{"aws:SecureTransport": "false"}]}),
    _with(Condition={"Bool": "aws:SecureTransport"}),
    _with(Condition={"Bool": None}),
    _with(Condition=None),
    _with(Condition="aws:SecureTransport"),
    _with(Effect="deny"),
    _with(Effect=["Deny"]),
    _with(Effect={"Deny": True}),
    json.dumps({"Version": "2012-10-17", "Statement": "deny everything"}),
    json.dumps({"Version": "2012-10-17", "Statement": None}),
    json.dumps({"Version": "2012-10-17", "Statement": []}),
    json.dumps({"Version": "2012-10-17", "Statement": [["Deny"]]}),
    json.dumps({"Version": "2012-10-17", "Statement": [None, 3]}),
    json.dumps({"Statement": 3}),
    {"Statement": {"Effect": 1}},
    _with()[:-1],
    _with().replace("[{", "[{,"),
    "[" * 5000 + '"Statement"',
)
"""Each of them gets a sentence, and none an exception."""
