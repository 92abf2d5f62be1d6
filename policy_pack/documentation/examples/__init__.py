"""An example for each policy: resources that comply, and the smallest change that the policy refuses.

The documents show the examples, and the tests run them, as plain data and through the engine. The numbers are the
plan's, so they follow a change of the plan.
"""

from __future__ import annotations

from typing import Final

from policy_pack.documentation.examples.access import ACCESS
from policy_pack.documentation.examples.model import Example
from policy_pack.documentation.examples.recovery import RECOVERY
from policy_pack.documentation.examples.redundancy import REDUNDANCY
from policy_pack.documentation.examples.residency import RESIDENCY
from policy_pack.documentation.examples.stack import STACK

__all__ = ["EXAMPLES"]

EXAMPLES: Final[tuple[Example, ...]] = (*RESIDENCY, *RECOVERY, *REDUNDANCY, *ACCESS, *STACK)
"""One example for each policy, in the order of the catalogue."""
