"""Sessions of roles, which end by the clouds' clock. AWS then refuses their credentials, and moto accepts them."""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, sts_backends
from werkzeug.wrappers import Response

from localcloud.aws.errors import error_response
from localcloud.aws.patching import wrap_method
from localcloud.instance.clock import real_seconds

_KEPT: Final = 86400.0
"""Seconds for which an ended session is still stored."""


def patch() -> None:
    wrap_method(AssumedRole, "__init__", _begin)


def _begin(original: Callable[..., None], session: AssumedRole, *args: Any, **kwargs: Any) -> None:
    original(session, *args, **kwargs)
    now = utcnow()
    session.expiration = now + timedelta(seconds=real_seconds((session.expiration - now).total_seconds()))


def refusal(service: str, access_key: str, is_json: bool) -> Response | None:
    """The error for a request that is signed with this key, if its session has ended."""
    if not access_key.startswith("ASIA"):
        return None
    for account in list(sts_backends.values()):
        for backend in account.values():
            session = backend.get_assumed_role_from_access_key(access_key)
            if session is not None and time.time() >= session_end(session):
                code = "ExpiredTokenException" if is_json else "ExpiredToken"
                status = 400 if is_json or service.startswith("s3") else 403
                return error_response(service, status, code, "The security token included in the request is expired")
    return None


def session_end(session: AssumedRole) -> int:
    """The end of a session, in seconds since 1970."""
    return calendar.timegm(session.expiration.timetuple())


def forget_ended(account: str, partition: str) -> None:
    """Remove the sessions that ended long ago. Nodes get credentials all day, and these would be stored forever."""
    sts, iam = sts_backends[account][partition], iam_backends[account][partition]
    for session in list(_long_ended(sts.assumed_roles)):
        sts.assumed_roles.remove(session)
        iam.access_keys.pop(session.access_key_id, None)


def _long_ended(sessions: list[AssumedRole]) -> Iterator[AssumedRole]:
    return (each for each in sessions if time.time() >= session_end(each) + _KEPT)
