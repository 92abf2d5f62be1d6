"""The speed of a database's recovery from its archive, compared with a plain copy of the same files.

    make bench          (python -m benchmarks.recovery [--megabytes N] [--pairs N] [--json])

A server is filled, its base backup archived, and a little more written. Each pair then copies the archive's files once
and recovers from them once, until the recovered server answers. A recovery cannot be faster than a copy of the files,
so the plain copy is the reference. The two follow one another, so that load on the machine disturbs both.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from localcloud.postgres import Archive, Cluster, Site, free_address

MEGABYTES = 1024
_PORT = 5432
_ROW_BYTES = 1024
_progress = Console(stderr=True, highlight=False, soft_wrap=True)

# Rows of about a kibibyte that do not compress away.
_FILL = """
create table filling as
select number, array_to_string(array(select md5(number::text || part) from generate_series(1, 30) part), '') as body
from generate_series(1, %d) number
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=MEGABYTES, help=f"of data; {MEGABYTES} by default")
    parser.add_argument("--pairs", type=int, default=3, help="copies and recoveries; 3 by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    if arguments.megabytes < 1 or arguments.pairs < 1:
        parser.error(f"--megabytes is {arguments.megabytes} and --pairs {arguments.pairs}; both must be 1 or more")
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        result = measure(Path(folder), arguments.megabytes, arguments.pairs)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)


def measure(folder: Path, megabytes: int, pairs: int) -> dict[str, Any]:
    site = Site(folder / "site")
    source = Cluster(site, folder / "source", free_address((), _PORT), _PORT)
    archive = Archive(folder / "archive")
    password = secrets.token_urlsafe(16)
    try:
        _progress.print(f"filling a server with {megabytes} MB", markup=False)
        source.create("bench", password, "bench")
        source.archive_to(None)
        with _connect(source, password) as connection:
            connection.execute(_FILL % (megabytes * 1024 * 1024 // _ROW_BYTES))
        source.archive_to(archive)
        source.upload()
    finally:
        source.stop()
    size = archive.bytes() / 1e6
    copied, recovered = [], []
    for pair in range(pairs):
        _progress.print(f"pair {pair + 1} of {pairs}", markup=False)
        copied.append(_copy(archive, folder / "copy"))
        recovered.append(_recover(site, password, archive, folder / "recovered"))
    rates = [(size / one, size / other) for one, other in zip(copied, recovered, strict=True)]
    return {
        "megabytes": size,
        "copy_seconds": copied,
        "recovery_seconds": recovered,
        "copy_megabytes_per_second": statistics.median(copy for copy, _ in rates),
        "recovered_megabytes_per_second": statistics.median(recovery for _, recovery in rates),
        "recovery_over_copy": statistics.median(other / one for one, other in zip(copied, recovered, strict=True)),
    }


def _connect(cluster: Cluster, password: str) -> psycopg.Connection:
    return psycopg.connect(
        host=cluster.address,
        port=cluster.port,
        dbname="bench",
        user="bench",
        password=password,
        sslmode="verify-full",
        sslrootcert=str(cluster.site.ca),
        autocommit=True,
    )


def _copy(archive: Archive, into: Path) -> float:
    """Copy like `cp -r`, and wait until the files are on the disk. Return the seconds."""
    begun = time.monotonic()
    shutil.copytree(archive.folder, into)
    os.sync()
    seconds = time.monotonic() - begun
    shutil.rmtree(into)
    return seconds


def _recover(site: Site, password: str, archive: Archive, into: Path) -> float:
    """Recover until the server answers and its files are on the disk. Return the seconds."""
    cluster = Cluster(site, into, free_address((), _PORT), _PORT)
    begun = time.monotonic()
    cluster.restore(archive, None)
    with _connect(cluster, password) as connection:
        connection.execute("select count(*) from filling where number < 1000")
    os.sync()
    seconds = time.monotonic() - begun
    cluster.remove()
    return seconds


def show(result: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in (f"{result['megabytes']:.0f} MB", "median", "fastest", "slowest"):
        table.add_column(heading, justify="right" if table.columns else "left")
    for name, key, rate in (
        ("plain copy of the files", "copy_seconds", "copy_megabytes_per_second"),
        ("recovery from them", "recovery_seconds", "recovered_megabytes_per_second"),
    ):
        seconds = result[key]
        table.add_row(name, f"{result[rate]:.0f} MB/s", f"{min(seconds):.2f} s", f"{max(seconds):.2f} s")
    out = Console(highlight=False, soft_wrap=True)
    out.print(table)
    out.print(f"recovery takes {result['recovery_over_copy']:.2f} times as long as the plain copy")


if __name__ == "__main__":
    main()
