"""`journalctl` on a host of the local cloud: it prints the host's journal, and follows it.

Supported: -f/--follow, -o/--output (json, cat, short), -u/--unit, -n/--lines, --since, --after-cursor, --cursor-file,
--no-tail, and options without an effect here (-b/--boot, -q/--quiet, --no-pager, -a/--all). Anything else is refused.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import deque
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from localcloud.hosts.machine.journal import Entry, entries


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="journalctl", allow_abbrev=False)
    parser.add_argument("-f", "--follow", action="store_true")
    parser.add_argument("-o", "--output", choices=("json", "cat", "short"), default="short")
    parser.add_argument("-u", "--unit", action="append", default=[])
    parser.add_argument("-n", "--lines")
    parser.add_argument("-S", "--since")
    parser.add_argument("--after-cursor")
    parser.add_argument("--cursor-file", type=Path)
    parser.add_argument("--no-tail", action="store_true")
    parser.add_argument("-b", "--boot", nargs="?", const="0")
    for nothing in ("--quiet", "--no-pager", "--all", "--utc", "--system", "--no-hostname"):
        parser.add_argument(nothing, action="store_true")
    parser.add_argument("-q", "-a", dest="nothing", action="store_true")
    asked = parser.parse_args(arguments)
    after = asked.after_cursor
    if asked.cursor_file is not None and asked.cursor_file.exists():
        after = asked.cursor_file.read_text().strip() or None
    since = _moment(asked.since) if asked.since else 0
    units = {name if "." in name else f"{name}.service" for name in asked.unit}
    journal = Path(os.environ["LOCALCLOUD_MACHINE"]) / "journal"
    known = after is None or any(entry and entry["__CURSOR"] == after for entry in entries(journal))
    most = None if asked.lines in (None, "all") else int(asked.lines)
    if most is None and asked.lines is None and asked.follow and not asked.no_tail and not asked.since and not after:
        most = 10  # as in the real one, --follow starts with the last ten lines
    held: deque[Entry] | None = deque(maxlen=most) if most is not None else None
    passed = not known or after is None
    last = None
    for entry in entries(journal, follow=asked.follow):
        if entry is None or held is None:
            for one in held or ():
                last = _show(one, asked.output)
            held = None
            if entry is None:
                sys.stdout.flush()
                _remember(asked.cursor_file, last)
                continue
        if not passed:
            passed = entry["__CURSOR"] == after
            continue
        if int(entry["__REALTIME_TIMESTAMP"]) < since or (units and entry["_SYSTEMD_UNIT"] not in units):
            continue
        if held is not None:
            held.append(entry)
        else:
            last = _show(entry, asked.output)
            if asked.follow:
                sys.stdout.flush()
    for one in held or ():
        last = _show(one, asked.output)
    _remember(asked.cursor_file, last)
    return 0


def _show(entry: Entry, output: str) -> str:
    if output == "json":
        print(json.dumps(entry))
    elif output == "cat":
        print(entry["MESSAGE"])
    else:
        when = time.strftime("%b %d %H:%M:%S", time.localtime(int(entry["__REALTIME_TIMESTAMP"]) / 1e6))
        print(f"{when} {entry['_HOSTNAME']} {entry['SYSLOG_IDENTIFIER']}[{entry['_PID']}]: {entry['MESSAGE']}")
    cursor: str = entry["__CURSOR"]
    return cursor


def _remember(file: Path | None, cursor: str | None) -> None:
    if file is not None and cursor is not None:
        file.write_text(cursor + "\n")


def _moment(text: str) -> int:
    """Parse a time to microseconds: `@SECONDS`, `YYYY-MM-DD HH:MM:SS`, `today`, `now` or `-SECONDS`."""
    if text == "now":
        return time.time_ns() // 1000
    if text == "today":
        return int(time.mktime((*time.localtime()[:3], 0, 0, 0, 0, 0, -1)) * 1e6)
    if text.startswith("@"):
        return int(float(text[1:]) * 1e6)
    if text.startswith("-"):
        return int((time.time() - float(text[1:].rstrip("s"))) * 1e6)
    return int(time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S")) * 1e6)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)
