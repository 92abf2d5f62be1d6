"""AWS on loopback: moto's server, with its state on disk and with the calls that moto lacks.

    server.py         one WSGI application for all services; the state is on disk before an answer leaves
    persistence.py    moto's objects on disk
    routing.py        the regions that a request needs, and the regions that do not answer
    signatures.py     the credential that a request is signed with
    errors.py         errors in the form of each service
    patching.py       adds methods to moto's classes, and wraps those that are wrong
    iam/              users, roles, sessions and policies
    notifications/    events, the rules that match them, and mail
    backup/ ec2/ kms/ logs/ rds/ s3/ secretsmanager/ ssm/   the patches of each service, one module for each subject

Services that are not in `server.SERVICES` are refused by name, and so are calls that moto does not know.
"""

from __future__ import annotations

from pathlib import Path

from localcloud.aws.server import Application


def create_app(state_folder: Path | None, databases: Path | None = None, *, enforce_iam: bool = False) -> Application:
    """Create the local AWS with the state in `state_folder`. Without a folder, the state ends with the process.

    With a folder for `databases`, each RDS instance has a PostgreSQL server; `Application.close` stops them.

    With `enforce_iam`, users and roles may do what their policies allow (`iam/authorizer.py`). The credentials of the
    local cloud are those of the account's root user, which may do everything.

    moto keeps its state in the process, so a process has one local AWS. A later call loads its own folder, and an
    application that was created before it refuses to answer.

    Raises `LocalCloudError` if this version of moto cannot read the state in the folder.
    """
    return Application(state_folder, databases, enforce_iam)


__all__ = ["Application", "create_app"]
