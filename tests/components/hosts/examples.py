"""Hosts of every kind, with the descriptions that production uses."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.hosts.image.hosts import ApiHost, Enrolment, Host, WorkerHost
from components.hosts.image.rendering import haproxy_configuration

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ROOT / "components/hosts/image/programs"

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJvdGJyYWlucyBvcGVyYXRvciBrZXkgMDEyMzQ1Njc4OTA="
ENROLMENT = Enrolment(
    activation_id="01234567-89ab-cdef-0123-456789abcdef",
    activation_code="Zm9ydHktdHdvCg/with+signs",
    region="eu-central-1",
)
COMMON: Mapping[str, Any] = {
    "stack": "prod",
    "region": "eu-central-1",
    "operators": {"liam": f"{KEY} liam", "ben": f"{KEY} ben"},
    "secrets": ["inference-key", "webhook-signing"],
    "image": f"ghcr.io/botbrains/api@sha256:{'0123456789abcdef' * 4}",
    "log_group": "/botbrains/prod/hosts",
}
API: Mapping[str, Any] = {
    **COMMON,
    "load_balancer_addresses": ["10.10.0.2", "10.10.0.3"],
    "peer_addresses": ["10.10.0.11-10.10.0.119"],
}


def active_api(**other: Any) -> ApiHost:
    return ApiHost(**{"name": "botbrains-prod-api-1", "address": "10.10.0.11", **API, **other})


def standby_api(count: int = 2, place: int = 1, **other: Any) -> ApiHost:
    watched = {f"botbrains-prod-api-{i}": f"10.10.0.{10 + i}" for i in range(1, count + 1)}
    given = {"name": f"botbrains-prod-api-standby-{place}", "address": f"10.10.0.{110 + place}", **API}
    return ApiHost(**{**given, "standby": place, "actives": watched, **other})


def active_worker(**other: Any) -> WorkerHost:
    return WorkerHost(**{"name": "botbrains-prod-worker-1", "address": "10.10.0.121", "slot": 1, **COMMON, **other})


def standby_worker(**other: Any) -> WorkerHost:
    given = {"name": "botbrains-prod-worker-standby-1", "address": "10.10.0.221", "slots": 2, **COMMON}
    return WorkerHost(**{**given, **other})


KINDS: Mapping[str, Host] = {
    "active API host": active_api(),
    "standby API host": standby_api(),
    "second of two standbys behind twenty": standby_api(20, 2),
    "active worker": active_worker(),
    "standby worker": standby_worker(slots=20),
    "API host of a rebuilt service": active_api(stack="dr", region="eu-west-1", secrets_stack="prod"),
}


def written_haproxy(host: ApiHost, folder: Path) -> Path:
    """Return its HAProxy configuration, with the stats socket in a folder."""
    file = folder / "haproxy.cfg"
    file.write_text(haproxy_configuration(host).replace("/run/botbrains/haproxy", str(folder)))
    return file


def program(name: str) -> str | None:
    """Return the path of an installed system program. A user's PATH lacks the folders of administrators' programs."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin")
