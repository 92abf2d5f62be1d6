"""The checks, in the order of the first day."""

from __future__ import annotations

from typing import Final

from continuity.doctor import aws, github, hetzner, machine
from continuity.doctor.check import Check

CHECKS: Final = (
    Check("addresses", machine.addresses),
    Check("pulumi", machine.engine),
    Check("ssh-ranges", machine.ssh_ranges),
    Check("aws-credentials", aws.credentials),
    Check("aws-regions", aws.regions),
    Check("aws-quotas", aws.quotas),
    Check("hetzner-token", hetzner.token),
    Check("hetzner-project", hetzner.project),
    Check("hetzner-limits", hetzner.limits),
    Check("github-token", github.token),
    Check("github-plan", github.plan),
    Check("github-numbers", github.numbers),
    Check("github-subject", github.subject),
    Check("state-backend", aws.state_backend),
    Check("vault", machine.vault),
    Check("roles", aws.roles),
    Check("second-factors", aws.second_factors),
    Check("own-role", aws.own_role),
    Check("alarm-recipients", aws.alarm_recipients),
    Check("name-servers", hetzner.name_servers),
    Check("prod", machine.production),
    Check("secrets", aws.secrets),
    Check("github", machine.repository),
)
