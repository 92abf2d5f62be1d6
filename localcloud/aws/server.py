"""The local AWS as one WSGI application. It handles one request at a time, and saves the state before it answers.

moto is not safe for threads, and the state must not change while it is written. So requests are handled one by one,
in milliseconds each.
"""

from __future__ import annotations

import io
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import parse_qs

from werkzeug.wrappers import Response

# Thousands of machine images that nothing here starts. They would be written again with every change of a network.
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server import werkzeug_app

from localcloud.aws import (
    backup,
    cloudwatch,
    ec2,
    iam,
    kms,
    logs,
    notifications,
    rds,
    routing,
    s3,
    secretsmanager,
    servicequotas,
    ssm,
)
from localcloud.aws.cloudwatch import alarms
from localcloud.aws.errors import error_response
from localcloud.aws.iam import sts
from localcloud.aws.iam.authorizer import Authorizer, IdentifiedRequest
from localcloud.aws.iam.oidc_tokens import Issuers
from localcloud.aws.iam.sessions import RefusedError
from localcloud.aws.notifications import mail
from localcloud.aws.notifications.call_events import call_event, is_logged
from localcloud.aws.notifications.delivery import put
from localcloud.aws.notifications.service_events import events_of
from localcloud.aws.persistence import Store
from localcloud.aws.rds import lifecycle, snapshots, uploads
from localcloud.aws.rds.servers import Servers, use_servers
from localcloud.aws.signatures import credential_of

log = logging.getLogger(__name__)

SERVICES: Final = (
    "ec2",
    "iam",
    "kms",
    "secretsmanager",
    "rds",
    "s3",
    "s3control",
    "backup",
    "sts",
    "ssm",
    "logs",
    "sns",
    "events",
    "cloudtrail",
    "cloudwatch",
    "servicequotas",
)
"""The services, in load order: later ones refer to earlier ones."""

_WRITES_ALSO: Final = {
    "backup": ("rds", "kms"),  # snapshots; a vault without its own key gets the one of AWS
    "rds": ("ec2", "kms", "logs", "secretsmanager"),  # default network and keys, log groups, managed passwords
    "secretsmanager": ("kms", "rds"),  # a managed password is rotated
    "kms": ("rds",),  # losing a key stops the replication of backups
    "s3control": ("s3",),
    "ssm": ("sts", "iam"),  # the sessions of managed nodes
}
_SIGNED_AS: Final = {"s3control": "s3"}
_SIGNING_NAMES: Final = {"monitoring": "cloudwatch"}
_QUERY: Final = frozenset({"ec2", "iam", "rds", "sns", "sts"})
_READING: Final = ("Describe", "Get", "List", "Head")
# Reads that write: KMS creates an account's `aws/…` keys at the first read, and reading a backup job or a vault records
# the jobs and recovery points that have ended meanwhile.
_READS_THAT_WRITE: Final = frozenset({("kms", "DescribeKey"), ("backup", "")})
# Calls without a signature.
_UNSIGNED: Final = {
    "AssumeRoleWithWebIdentity": "sts",
    "AssumeRoleWithSAML": "sts",
    "AmazonSSM.RegisterManagedInstance": "ssm",
}

_patched = False
_latest: Application | None = None


class Application:
    """See `localcloud.aws.create_app`."""

    def __init__(self, state_folder: Path | None, databases: Path | None, enforce_iam: bool) -> None:
        global _latest
        _patch_once()
        BackendDict.reset()
        self._lock = threading.RLock()
        self._store = Store(state_folder, SERVICES)
        self._moto = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
        # Without a folder, the issuers' keys end with the application.
        self._passing = None if state_folder is not None else TemporaryDirectory()
        identities = Path(self._passing.name) if self._passing is not None else state_folder or Path()
        self.issuers = Issuers(identities / "issuers")
        self.mailbox = mail.Mailbox(None if state_folder is None else state_folder.parent / mail.FILE)
        self._authorizer = Authorizer(self.issuers, enforce_iam)
        use_servers(None)
        self._store.load()
        _latest = self
        self._servers = None if databases is None else Servers(databases, self.changing)
        use_servers(self._servers)
        if self._servers is not None:
            snapshots.resume()
            lifecycle.resume(self._servers)
            uploads.start(self._servers)

    @contextmanager
    def changing(self, *services: str) -> Iterator[None]:
        """Change moto's objects of these services outside a request, under the lock; save them at the end."""
        with self._lock:
            try:
                yield
            finally:
                self._store.save(services)

    def follow(self, is_dead: Callable[[str], bool]) -> None:
        """Set the dead regions: their databases lose power, and start again when their region returns."""
        if self._servers is not None:
            with self._lock:
                lifecycle.follow(self._servers, is_dead)

    def close(self) -> None:
        """Stop the databases and keep their data."""
        if self._servers is not None:
            self._servers.close()
        if self._passing is not None:
            self._passing.cleanup()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _latest is not self:
            raise RuntimeError("a later local AWS took over in this process")
        service, action = _service_and_action(environ)
        with self._lock:
            answer = self._answer(service, action, environ)
        return answer(environ, start_response)

    def _refused(
        self, service: str, action: str, environ: dict[str, Any], region: str, refusal: RefusedError
    ) -> Response:
        """Return the error of a request that IAM refuses, and deliver its event."""
        log.info("%s %s: %s", service, action, refusal)
        identified = self._authorizer.identify(service, action, environ, _body(environ), region)
        self._record(identified, refusal)
        return error_response(service, refusal.status, refusal.code, str(refusal))

    def _record(self, identified: IdentifiedRequest, refusal: RefusedError | str | None) -> None:
        """Deliver CloudTrail's event about a call, and those of the service that answered it."""
        request = identified.request
        if request is None:
            return
        events = [call_event(request, identified.principal, identified.subject, refusal)] if is_logged(request) else []
        for event in (*events, *(() if refusal else events_of(request))):
            put(request.region, event, request.account)

    def _answer(self, service: str, action: str, environ: dict[str, Any]) -> Response:
        if service not in SERVICES:
            supported = ", ".join(sorted(set(SERVICES) - set(_SIGNED_AS)))
            spoken = "json" if "HTTP_X_AMZ_TARGET" in environ else service
            return error_response(
                spoken, 501, "NotImplemented", f"the local cloud has no AWS service {service!r}; it has {supported}"
            )
        region = _region(environ)
        if service not in ("s3", "s3control", "iam", "sts") and not _exists(service, region):
            return error_response(service, 400, "InvalidRegion", f"{region!r} is not a region of {service}")
        ended = sts.refusal(service, credential_of(environ).access_key, is_json="HTTP_X_AMZ_TARGET" in environ)
        if ended is not None:
            return ended
        try:
            identified = self._authorizer.authorize(service, action, environ, _body(environ), region)
        except RefusedError as refusal:
            return self._refused(service, action, environ, region, refusal)
        except NotImplementedError as refusal:
            return error_response(service, 501, "NotImplemented", f"{service}:{action}: {refusal}")
        except Exception as error:
            # A request that cannot be evaluated is refused.
            log.exception("%s %s", service, action)
            return error_response(
                service, 500, "InternalFailure", f"{service}:{action}: {type(error).__name__}: {error}"
            )
        try:
            answer = Response.from_app(self._moto, environ, buffered=True)
        except NotImplementedError as refusal:
            log.info("%s %s: %s", service, action, refusal)
            answer = error_response(
                service, 501, "NotImplemented", f"the local cloud does not do {service}:{action or refusal}"
            )
        except Exception as error:
            log.exception("%s %s", service, action)
            answer = error_response(
                service, 500, "InternalFailure", f"{service}:{action}: {type(error).__name__}: {error}"
            )
        self._record(identified, _refusal(answer))
        # A call that failed may have changed something before it did, so the answer's status says nothing.
        reading = (environ["REQUEST_METHOD"] in ("GET", "HEAD") if not action else action.startswith(_READING)) and (
            (service, action) not in _READS_THAT_WRITE
        )
        try:
            alarmed = ("cloudwatch",) if alarms.evaluate() else ()
            self._store.save((*alarmed, *(() if reading else (service, *_WRITES_ALSO.get(service, ())))))
        except Exception as error:
            log.exception("%s %s was done but cannot be saved", service, action)
            return error_response(
                service,
                500,
                "InternalFailure",
                f"{service}:{action} was done, but the local cloud cannot save it: {error}",
            )
        return answer


def _refusal(answer: Response) -> str | None:
    """The name of the error in an answer, if it is an error."""
    return None if answer.status_code < 400 else answer.headers.get("x-amzn-ErrorType", str(answer.status_code))


def _service_and_action(environ: dict[str, Any]) -> tuple[str, str]:
    """moto's name of the service, and the operation's name (empty if the method and the path define it, as in S3)."""
    body = _body(environ) if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") else b""
    action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
    action = action or parse_qs(environ.get("QUERY_STRING", "")).get("Action", [""])[0]
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if environ.get("PATH_INFO", "").startswith(("/moto-api", "/latest/")):
        return "moto-api", ""  # not AWS: it can empty the cloud without a signature
    service = credential_of(environ).service or _UNSIGNED.get(action or target, "s3")
    service = _SIGNING_NAMES.get(service, service)
    if service == "s3" and environ.get("PATH_INFO", "").startswith("/v20180820/"):
        service = "s3control"
    if service in _QUERY:
        return service, action
    return service, target.rpartition(".")[2]


def _region(environ: dict[str, Any]) -> str:
    return credential_of(environ).region or routing.of_host(environ) or ""


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body, and leave it readable."""
    stream = environ["wsgi.input"]
    # A chunked body has no length, but it has an end.
    whole = environ.get("wsgi.input_terminated")
    body: bytes = stream.read() if whole else stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _exists(service: str, region: str) -> bool:
    known: list[str] = get_backend(service)[DEFAULT_ACCOUNT_ID].regions  # type: ignore[call-overload]
    return region in known


def _patch_once() -> None:
    """Patch moto once in a process, because its classes belong to the process."""
    global _patched
    if not _patched:
        for service in (rds, s3, secretsmanager, backup, kms, ec2, ssm, logs, iam, notifications, cloudwatch):
            service.patch()
        servicequotas.patch()
        # Web pages of other origins get no access.
        vars(werkzeug_app)["DISABLE_GLOBAL_CORS"] = True
        _patched = True
