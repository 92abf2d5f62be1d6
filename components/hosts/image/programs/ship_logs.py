"""Sends this host's journal to CloudWatch Logs, entry by entry, in order, and goes on after a restart where it stopped.

Where it is in the journal is kept in a file that is written after CloudWatch Logs has taken a batch: what was sent just
before a crash may be sent twice, and nothing is left out. When AWS does not answer, the journal on the disk is the
buffer, as far back as it goes.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# What one PutLogEvents takes (docs.aws.amazon.com, CloudWatch Logs API): 10,000 events of one day, 1,048,576 bytes with
# 26 more for each event. Nothing older than 14 days.
BATCH_EVENTS = 5_000
BATCH_BYTES = 900_000
EVENT_OVERHEAD_BYTES = 26
EVENT_BYTES = 200_000
DAY_MILLISECONDS = 24 * 60 * 60 * 1000
OLDEST_MILLISECONDS = 13 * DAY_MILLISECONDS

FLUSH_SECONDS = 2.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


def _size(event: Mapping[str, Any]) -> int:
    return len(event["message"].encode()) + EVENT_OVERHEAD_BYTES


@dataclass
class Batch:
    """Entries that go out together."""

    events: list[dict[str, Any]] = field(default_factory=list)
    size: int = 0
    cursor: str | None = None

    def has_room(self, event: Mapping[str, Any]) -> bool:
        if not self.events:
            return True
        size = self.size + _size(event)
        day = abs(event["timestamp"] - self.events[0]["timestamp"]) < DAY_MILLISECONDS
        return len(self.events) < BATCH_EVENTS and size <= BATCH_BYTES and day

    def add(self, event: dict[str, Any], cursor: str | None) -> None:
        # The clock may have been set back, and CloudWatch Logs wants them in order.
        if self.events:
            event["timestamp"] = max(event["timestamp"], self.events[-1]["timestamp"])
        self.events.append(event)
        self.size += _size(event)
        self.cursor = cursor or self.cursor


def event(line: bytes) -> tuple[dict[str, Any], str | None] | None:
    """The event of a journal's entry in JSON, and its cursor; None when it is no entry, or has nothing to say."""
    try:
        entry = json.loads(line)
        timestamp = int(entry["__REALTIME_TIMESTAMP"]) // 1000
    except (ValueError, KeyError, TypeError):
        return None
    text = entry.get("MESSAGE")
    if isinstance(text, list):
        # The journal's way with bytes that are no UTF-8.
        text = bytes(text).decode(errors="replace")
    if not isinstance(text, str) or not text:
        return None
    said = {
        "unit": entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or "kernel",
        "priority": entry.get("PRIORITY", "6"),
        "message": text.encode()[:EVENT_BYTES].decode(errors="ignore"),
    }
    message = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return {"timestamp": timestamp, "message": message}, entry.get("__CURSOR")


class Stream:
    """A log stream, made when it is needed first. Its group has to be there."""

    def __init__(self, region: str, group: str, name: str) -> None:
        self._region, self._group, self._name = region, group, name
        self._client: Any = None

    def put(self, events: list[dict[str, Any]]) -> None:
        """Send the events.

        Raises:
            BotoCoreError, ClientError: they could not be sent now.
        """
        recent = time.time() * 1000 - OLDEST_MILLISECONDS
        wanted = [event for event in events if event["timestamp"] > recent]
        if not wanted:
            return
        try:
            if self._client is None:
                self._client = self._connect()
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._name, logEvents=wanted)
        except (BotoCoreError, ClientError):
            # Next time with whatever credentials there are then.
            self._client = None
            raise

    def _connect(self) -> Any:
        settings = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
        client = boto3.session.Session().client("logs", region_name=self._region, config=settings)
        try:
            client.create_log_stream(logGroupName=self._group, logStreamName=self._name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
                raise
        return client


class Shipper:
    """What was read and is not sent yet, and where that is in the journal."""

    def __init__(self, stream: Stream, cursor: Path) -> None:
        self._stream, self._cursor = stream, cursor
        self.batch = Batch()
        self.stopping = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def take(self, lines: Iterable[bytes]) -> None:
        """Add entries, and send what no more go with."""
        for line in lines:
            found = event(line)
            if found is None:
                continue
            if not self.batch.has_room(found[0]):
                self.send()
            self.batch.add(*found)

    def send(self) -> None:
        """Send what there is, for as long as it takes. When it is to stop, it tries once."""
        if not self.batch.events:
            return
        pause, said = FIRST_PAUSE_SECONDS, ""
        while True:
            try:
                self._stream.put(self.batch.events)
            except (BotoCoreError, ClientError) as error:
                # A line each time would be one more to send.
                if str(error) != said:
                    said = str(error)
                    print(f"{len(self.batch.events)} entries wait: {said}", file=sys.stderr, flush=True)
                if self.stopping:
                    return
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            if self.batch.cursor is not None:
                new = self._cursor.with_suffix(".new")
                new.write_text(self.batch.cursor, encoding="utf-8")
                new.rename(self._cursor)
            self.batch = Batch()
            return


def follow(shipper: Shipper, command: list[str]) -> int:
    """Send what the journal says until it ends, with its status, or somebody asks to stop, with 0."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as journal:
        assert journal.stdout is not None  # noqa: S101 - it was asked for
        source, rest, due = journal.stdout.fileno(), b"", time.monotonic() + FLUSH_SECONDS
        os.set_blocking(source, False)
        while not shipper.stopping:
            ready, _, _ = select.select([source], [], [], max(0.0, due - time.monotonic()))
            if ready:
                part = os.read(source, 1 << 20)
                if not part:
                    break
                *lines, rest = (rest + part).split(b"\n")
                shipper.take(lines)
            if time.monotonic() >= due:
                shipper.send()
                due = time.monotonic() + FLUSH_SECONDS
        shipper.send()
        journal.terminate()
        status = journal.wait()
    return 0 if shipper.stopping else status or 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Sends the journal to CloudWatch Logs.")
    parser.add_argument("--region", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--cursor", type=Path, required=True, help="the file that says what was sent already")
    parser.add_argument("--journal", default="/usr/bin/journalctl", help="the program that reads the journal")
    asked = parser.parse_args(arguments)

    command = [asked.journal, "--follow", "--output=json", "--no-tail"]
    if asked.cursor.exists():
        command.append(f"--after-cursor={asked.cursor.read_text(encoding='utf-8').strip()}")
    return follow(Shipper(Stream(asked.region, asked.group, asked.stream), asked.cursor), command)


if __name__ == "__main__":
    sys.exit(main())
