"""Real PostgreSQL servers on loopback, with archiving, base backups, recovery to a moment, and copies of an archive.

site.py        settings that all servers of a local cloud share: certificate authority, superuser's password
cluster.py     one server: create, start, stop, archive, back up, restore
wal_archive/   the files that restore a cluster: base backups and write-ahead log
programs.py    PostgreSQL's own programs, from PyPI, and the user that they run as (privileges.py)
server.py      the server's process;  front.py  the process in front of it that speaks TLS (front_program.py)

The programs are built without OpenSSL. So the server itself listens on a socket in Linux's abstract namespace, and
clients connect to the front. The front does what PostgreSQL does before a session: it negotiates TLS, or refuses a
session without it. Then it passes the session on. Passwords are SCRAM all the way.
"""

from __future__ import annotations

from localcloud.network.addresses import free_address
from localcloud.postgres.cluster import Cluster
from localcloud.postgres.errors import PostgresError
from localcloud.postgres.programs import version
from localcloud.postgres.server import stop_all
from localcloud.postgres.site import Site
from localcloud.postgres.wal_archive.archive import Archive

__all__ = ["Archive", "Cluster", "PostgresError", "Site", "free_address", "stop_all", "version"]
