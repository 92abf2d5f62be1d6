"""The speed of the clouds' clock: a test makes an hour of a cloud pass in seconds."""

from __future__ import annotations

import os
from typing import Final

from localcloud.instance.folder import LocalCloudError

SPEED_VARIABLE: Final = "LOCALCLOUD_CLOCK"
"""How many seconds of the clouds' time pass in a second. Default: 1."""


def real_seconds(seconds: float) -> float:
    """Return how long these seconds of the clouds' time take."""
    return seconds / (setting(SPEED_VARIABLE) or 1)


def setting(variable: str) -> float:
    """Return the number in an environment variable, or 0 without it."""
    said = os.environ.get(variable)
    try:
        value = float(said or 0)
    except ValueError:
        value = -1
    if value < 0:
        raise LocalCloudError(f"{variable} is {said!r}; allowed is a number above 0")
    return value
