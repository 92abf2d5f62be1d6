"""Settings of a server: two files next to its data, written completely at each start.

The settings in the data folder, which are part of every backup, stay as `initdb` wrote them and are not used.
"""

from __future__ import annotations

from pathlib import Path

from localcloud.instance.state import write_atomically
from localcloud.postgres.privileges import share

PORT = 5432
SUPERUSER = "rdsadmin"
# Destination of the log: a link next to the data, so that archiving is switched on, off or elsewhere in one step.
ARCHIVE_LINK = "archive"
NOWHERE = "nowhere"

# PostgreSQL runs it in the data folder, and keeps the segment until it returns 0. A name appears only after the content
# is on the disk. The name itself gets there with the next checkpoint's flush, before which PostgreSQL keeps its own
# copy. A segment that exists is either a repetition after a crash, or belongs to a different cluster.
_ARCHIVE_COMMAND = f"""d=$(readlink ../{ARCHIVE_LINK}) || exit 1; \
if test "$d" = {NOWHERE}; then exit 0; fi; \
if test -e "$d/%f"; then test "$(sha256sum < "%p")" = "$(sha256sum < "$d/%f")"; \
else dd if="%p" of="$d/.%f.tmp" bs=1M conv=fsync status=none && mv "$d/.%f.tmp" "$d/%f"; fi"""

_ACCESS = f"""\
# The front has ended TLS. The local cloud's own database and backups are its superuser's alone.
local  {SUPERUSER}  {SUPERUSER}  scram-sha-256
local  {SUPERUSER}  all          reject
local  replication  {SUPERUSER}  scram-sha-256
local  replication  all          reject
local  all          all          scram-sha-256
"""


def write(folder: Path, socket: str) -> list[str]:
    """Write the files for the server of `folder`. Return the arguments that name them."""
    values = {
        "data_directory": str(folder / "data"),
        "hba_file": str(folder / "pg_hba.conf"),
        "listen_addresses": "",
        "unix_socket_directories": socket,
        "port": str(PORT),
        "password_encryption": "scram-sha-256",
        "allow_alter_system": "off",
        # Durable: a commit survives a power loss.
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "wal_level": "replica",
        "archive_mode": "on",
        "archive_command": _ARCHIVE_COMMAND,
        "archive_timeout": "0",  # upload() ends a segment when its content is needed
        "min_wal_size": "8MB",
        "max_wal_size": "256MB",
        # Many of these run on one machine.
        "max_connections": "50",
        "shared_buffers": "16MB",
        "huge_pages": "off",
        "io_method": "sync",
        "max_worker_processes": "4",
        "max_parallel_workers": "2",
        "autovacuum_max_workers": "2",
        "autovacuum_worker_slots": "2",
        "max_wal_senders": "4",
        "max_replication_slots": "4",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_destination": "stderr",
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] ",
        "log_connections": "",
        "log_disconnections": "off",
        "log_checkpoints": "off",
        "log_statement": "none",
    }
    lines = [f"{name} = {quoted(value)}\n" for name, value in values.items()]
    for name, content in (("postgresql.conf", "".join(lines)), ("pg_hba.conf", _ACCESS)):
        write_atomically(folder / name, content.encode())
        share(folder / name, 0o640)
    return ["-D", str(folder / "data"), "-c", f"config_file={folder / 'postgresql.conf'}"]


def quoted(value: str) -> str:
    """Quote a string of a settings file, in which a backslash starts an escape."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
