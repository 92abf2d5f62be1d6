"""Real PostgreSQL servers on loopback: archiving, base backups, recovery to any moment, copies of an archive elsewhere.

site.py        what all servers of a local cloud share: its certificate authority, and the superuser's password
cluster.py     one server: make, start, stop, archive, back up, restore
archive.py     what is kept of one cluster to restore it from: base backups and write-ahead log, as plain files
programs.py    PostgreSQL's own programs, from PyPI, and as whom they run (privileges.py)
server.py      the server's process;  front.py  the process in front of it that speaks TLS (front_program.py)

The programs are built without OpenSSL. So the server itself listens on a socket in Linux's abstract namespace, and
what clients reach is the front: it does what PostgreSQL does before a session (TLS, or the refusal of a session
without), and passes the session on. Passwords are SCRAM all the way.
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
