"""10,000 mutated webhooks and as many mutated reports: what was answered, and how memory grew.

    python -m benchmarks.strangers [MANY] [SEED]

Exits 1 where anything was answered by a 5xx or not at all, the log tells of a fault, or memory grew by 20 %.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.flooding import flooded


def main() -> int:
    """Run it, print the figures."""
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(flooded(Path(folder), many, seed))
    print(f"{many} mutated webhooks: {_told(found.webhooks)}")
    print(f"{many} mutated reports: {_told(found.reports)}")
    seconds = time.monotonic() - began
    print(f"memory: {found.before:.0f} MiB -> {found.after:.0f} MiB, {found.growth:+.1%}; {seconds:.0f} s")
    broken = any(code == 0 or code >= 500 for code in {*found.webhooks, *found.reports})
    wrong = {
        "a 5xx, or no answer": broken,
        "a fault in the log": "Traceback" in found.log,
        "messages that cannot be digested": found.undigested > 0,
        "memory grew": found.growth >= 0.2,
        "it does not work afterwards": not found.told,
    }
    for what in [what for what, is_so in wrong.items() if is_so]:
        print(f"WRONG: {what}")
    return int(any(wrong.values()))


def _told(answered: Counter[int]) -> str:
    return ", ".join(f"{code} × {times}" for code, times in sorted(answered.items()))


if __name__ == "__main__":
    sys.exit(main())
