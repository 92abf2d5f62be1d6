"""Starts the policy pack for Pulumi's engine. The first thing printed is the port that it listens on."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

# The engine runs this folder, from wherever it is, and so knows nothing of the packages beside it.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from plan import load
from policy_pack.analyzer import serve
from policy_pack.verdicts import Judge

if __name__ == "__main__":
    # It lives for one command, and next to nothing that it makes is garbage before it ends.
    gc.disable()
    # The engine starts it with its own address in front of the pack's folder.
    serve(Judge(load()), sys.argv[1])
