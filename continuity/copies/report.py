"""The report on copies: the state of each one, and what is wrong with it. Makes no calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A copy of data, or a key that copies are encrypted with."""

    kind: str
    name: str
    region: str
    state: str
    """The present state, in words."""

    fault: str | None = None
    """Why it does not keep the plan's promise. `None` if it does."""

    remedy: str = ""

    def sentence(self) -> str:
        """Describe the fault and its remedy."""
        return f"{self.kind} {self.name} in {self.region}: {self.fault}: {self.remedy}"


@dataclass(frozen=True)
class Report:
    """All copies that could be read."""

    copies: tuple[Copy, ...]
    unknown: tuple[str, ...] = ()
    """Regions that could not be read, and the reasons."""

    @property
    def faults(self) -> tuple[Copy, ...]:
        return tuple(copy for copy in self.copies if copy.fault)

    @property
    def complete_and_kept(self) -> bool:
        return not self.faults and not self.unknown

    def as_data(self) -> dict[str, Any]:
        return {
            "right": self.complete_and_kept,
            "copies": [asdict(copy) for copy in self.copies],
            "could_not_look": list(self.unknown),
        }

    def sentences(self) -> tuple[str, ...]:
        """Describe everything that is wrong or unknown, one line each."""
        return (
            *(copy.sentence() for copy in self.faults),
            *(f"could not look: {sentence}" for sentence in self.unknown),
        )
