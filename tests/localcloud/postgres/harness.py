"""Harness for tests of PostgreSQL: a folder with servers, and their sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from localcloud.postgres import Archive, Cluster, Site, free_address

PORT = 5432
USER, PASSWORD, DATABASE = "app", "se'cret %s\\n\"", "postgres"
MICROSECOND = timedelta(microseconds=1)


@dataclass
class Place:
    """A local cloud's folder with servers in it, below folders that the servers' user may not search."""

    root: Path
    addresses: set[str] = field(default_factory=set)

    @property
    def site(self) -> Site:
        return Site(self.root / "site")

    def cluster(self, name: str) -> Cluster:
        address = free_address(self.addresses, PORT)
        self.addresses.add(address)
        return Cluster(self.site, self.root / name, address, PORT)

    def archive(self, name: str) -> Archive:
        return Archive(self.root / "archives of 100%" / name)  # a name that a shell or PostgreSQL could misread

    def connect(self, cluster: Cluster, **other: Any) -> psycopg.Connection[Any]:
        wanted = {
            "host": cluster.address,
            "port": cluster.port,
            "user": USER,
            "password": PASSWORD,
            "dbname": DATABASE,
            "sslmode": "verify-full",
            "sslrootcert": str(self.site.ca),
            "connect_timeout": 10,
            **other,
        }
        return psycopg.connect(**wanted, autocommit=True)

    def rows(self, cluster: Cluster) -> list[int]:
        with self.connect(cluster) as connection:
            return [number for (number,) in connection.execute("SELECT number FROM written ORDER BY number")]

    def write(self, cluster: Cluster, *numbers: int) -> None:
        with self.connect(cluster) as connection:
            for number in numbers:
                connection.execute("INSERT INTO written VALUES (%s, clock_timestamp())", [number])


def running_cluster(place: Place, name: str) -> Cluster:
    cluster = place.cluster(name)
    cluster.create(USER, PASSWORD, DATABASE)
    with place.connect(cluster) as connection:
        connection.execute("CREATE TABLE written (number integer PRIMARY KEY, at timestamptz NOT NULL)")
    return cluster


def superuser(place: Place, cluster: Cluster) -> dict[str, Any]:
    return {
        "host": cluster.address,
        "port": PORT,
        "user": "rdsadmin",
        "password": place.site.password,
        "dbname": "rdsadmin",
        "sslmode": "verify-full",
        "sslrootcert": str(place.site.ca),
    }
