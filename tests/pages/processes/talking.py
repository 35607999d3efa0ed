"""A process that goes on to print, as no terminal would show it."""

from __future__ import annotations

import time

from geomill.processes import process


@process
def talk(until: int = 1_000_000) -> int:
    """Print a line after another, with colours and a page in it."""
    for number in range(until):
        print(f"\x1b[32mline {number}\x1b[0m <script>alert(1)</script>", flush=True)
        time.sleep(0.05)
    return until
