"""Runs a command in a terminal and draws its last screen as an SVG: `record.py FILE COMMAND...`.

The command sees a real terminal, so it draws what a person sees. The exit code is the command's own; the file is
written only when the command succeeds.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from itertools import groupby
from pathlib import Path

import pyte
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, LINES = 120, 48

# rich's own form names a font on a server. A picture in a repository must not load anything.
SVG = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <style>
    .{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
      line-height: {line_height}px; font-variant-east-asian: full-width; }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">{matrix}</g>
  </g>
</svg>
"""


def run(command: list[str], screen: pyte.Screen) -> int:
    """Run the command until it ends, showing what it prints here as well. Returns its exit code."""
    stream = pyte.ByteStream(screen)
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.execvp(command[0], command)
    while True:
        try:
            printed = os.read(terminal, 65536)
        except OSError:  # Linux reports the end of a terminal as an error
            break
        if not printed:
            break
        sys.stdout.buffer.write(printed)
        sys.stdout.flush()
        stream.feed(printed)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def color(name: str) -> str | None:
    """A color of the emulated terminal in rich's terms."""
    if name == "default":
        return None
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return {"brown": "yellow", "brightbrown": "bright_yellow"}.get(name, name.replace("bright", "bright_", 1))


def style(char: Char) -> Style:
    """The style of one character."""
    return Style(
        color=color(char.fg), bgcolor=color(char.bg), bold=char.bold, underline=char.underscore, reverse=char.reverse
    )


def draw(screen: pyte.Screen, title: str) -> str:
    """The screen as an SVG, without the empty lines at its end."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), highlight=False)  # noqa: SIM115
    rows = [screen.buffer[line] for line in range(screen.lines)]
    while rows and not any(char.data.strip() for char in rows[-1].values()):
        rows.pop()
    for row in rows:
        line = Text()
        for looks, run in groupby((row[column] for column in range(COLUMNS)), key=style):
            line.append("".join(char.data for char in run), looks)
        line.rstrip()
        console.print(line, soft_wrap=True)
    return console.export_svg(title=title, code_format=SVG, unique_id="terminal")


def main(arguments: list[str]) -> int:
    if len(arguments) < 2:
        print("usage: record.py FILE COMMAND...", file=sys.stderr)
        return 2
    file, *command = arguments
    screen = pyte.Screen(COLUMNS, LINES)
    code = run(command, screen)
    if code == 0:
        Path(file).write_text(draw(screen, " ".join(command)))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
