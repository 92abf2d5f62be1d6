"""AWS on loopback: moto's server, made to remember, and taught the calls that it lacks.

    server.py    one WSGI application for all services; an answer leaves once what it says is written down
    persistence.py    how moto's objects get to disk and back
    errors.py        errors in each service's own form
    iam_*.py          what users and roles may do, and who is let into a role
    iam/oidc_tokens.py  other issuers' tokens        call_events.py  who hears of calls
    patching.py          how a call is added to moto, or one that tells an untruth mended
    ec2_*.py kms_*.py logs_*.py rds_*.py s3_*.py ssm_*.py   those calls, a subject a file

Services that are not in `application.SERVICES` are refused by name, as are calls that moto does not know.
"""

from __future__ import annotations

from pathlib import Path

from localcloud.aws.server import Application


def create_app(state_folder: Path | None, databases: Path | None = None, *, enforce_iam: bool = False) -> Application:
    """The local AWS, with what it knew when it last answered; without a folder it forgets everything when it ends.

    With a folder for `databases`, a PostgreSQL server stands behind each RDS instance; `Application.close` stops them.

    With `enforce_iam`, users and roles may do what their policies say (`iam/authorizer.py`). The local cloud's own
    credentials are the account's root user's, and may do everything.

    moto keeps its state in the process, so there is one local AWS in a process: a later call starts afresh from its own
    folder, and an application made before it refuses to answer.

    Raises `LocalCloudError` when the folder holds a state that this version of moto cannot read.
    """
    return Application(state_folder, databases, enforce_iam)


__all__ = ["Application", "create_app"]
