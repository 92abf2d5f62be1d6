"""The limits of accounts, and the numbers of resources that the stacks need: `limits.yaml`, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from continuity.engine.stacks import Stack

_FILE: Final = Path(__file__).with_name("limits.yaml")


class Quota(BaseModel):
    """A quota in AWS's Service Quotas."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    code: str


class Limit(BaseModel):
    """A limited kind of resource. At AWS, prod uses the home region, and the other stacks the recovery region."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    type: str
    """Pulumi's type token."""

    needed: dict[Stack, int]
    usual: str
    quota: Quota | None = None

    @property
    def cloud(self) -> str:
        return "Hetzner" if self.type.startswith("hcloud:") else "AWS"

    def needed_in_home(self) -> int:
        return self.needed.get(Stack.PROD, 0)

    def needed_in_recovery(self) -> int:
        return self.needed.get(Stack.VAULT, 0) + self.needed.get(Stack.DR, 0)


def load_limits() -> list[Limit]:
    return TypeAdapter(list[Limit]).validate_python(yaml.safe_load(_FILE.read_text()))
