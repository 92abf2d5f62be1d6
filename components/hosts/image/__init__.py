"""Hosts configured by cloud-init alone: typed descriptions in, user data out. Nothing here knows Pulumi.

hosts.py      what a host is told, and what it may be told
rendering.py  its user data, its HAProxy configuration, and the fingerprint that says whether it has to be rolled
templates/    every file that is written to a host
programs/     the programs that run on it, with Debian's own Python and packages
"""

from components.hosts.image.hosts import ApiHost, Common, Enrolment, Host, WorkerHost
from components.hosts.image.rendering import (
    SIZE_LIMIT_BYTES,
    drain_seconds,
    fingerprint,
    haproxy_configuration,
    render,
    standby_threshold,
)

__all__ = [
    "SIZE_LIMIT_BYTES",
    "ApiHost",
    "Common",
    "Enrolment",
    "Host",
    "WorkerHost",
    "drain_seconds",
    "fingerprint",
    "haproxy_configuration",
    "render",
    "standby_threshold",
]
