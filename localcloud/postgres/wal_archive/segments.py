"""Names of write-ahead log files: 8 hexadecimal digits of timeline, 8 of the log, 8 of the segment in it.

A log has 4 GB of addresses. A segment's size is chosen when a cluster is created, and determines their number in a log.
"""

from __future__ import annotations

import re
from collections.abc import Collection

_NAME = re.compile(r"[0-9A-F]{24}")
_LOG_BYTES = 1 << 32


def is_segment(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def timeline(name: str) -> int:
    return int(name[:8], 16)


def position(name: str) -> str:
    """The position in the log, independent of the timeline, as a sortable string, for any file of a segment."""
    return name[8:24]


def number(name: str, segment_bytes: int) -> int:
    return int(name[8:16], 16) * (_LOG_BYTES // segment_bytes) + int(name[16:24], 16)


def unbroken_from(names: Collection[str], last: str, segment_bytes: int) -> int | None:
    """The number of the first segment from which all exist up to `last`, on its timeline; None without `last`."""
    if last not in names:
        return None
    present = {number(name, segment_bytes) for name in names if name[:8] == last[:8]}
    first = number(last, segment_bytes)
    while first - 1 in present:
        first -= 1
    return first
