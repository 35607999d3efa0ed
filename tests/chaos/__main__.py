"""Chaos, minutes of it: `make chaos`, or `make chaos ARGS="--kills 2000 --seed 7"`."""

from __future__ import annotations

import argparse
import random
import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from chaos.hostile import dismissals  # noqa: E402
from chaos.modes import BARE, MODES, possible  # noqa: E402
from chaos.run import chaos  # noqa: E402
from geomill.app.engine import isolation  # noqa: E402


def main() -> int:
    """Print the figures of every mode; 1 when something was lost, doubled, stuck, left or wrong."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Kill a server at random, and prove what is left.")
    parser.add_argument("--kills", type=int, default=500, help="processes to kill, in each mode")
    parser.add_argument("--dismissals", type=int, default=1000, help="of hostile jobs, in all modes together")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of the random numbers")
    parser.add_argument("--clients", type=int, default=6, help="clients at a time")
    parser.add_argument("--mode", choices=MODES, action="append", help="run as whom; all that are possible")
    parser.add_argument("--only", action="append", default=[], help="do only this, as it is named in the figures")
    parser.add_argument("--keep", action="store_true", help="keep the home for a look")
    given = parser.parse_args()
    isolation.adopt_orphans()
    modes = given.mode or possible()
    runs = [(mode, partial(chaos, mode, given.kills, given.seed, given.clients, frozenset(given.only), keep=given.keep))
            for mode in modes if given.kills and (given.mode or not mode.endswith(BARE))]  # fmt: skip
    if given.dismissals:
        share = -(-given.dismissals // len(modes))
        runs += [(f"hostile jobs, {mode}", partial(dismissals, mode, share)) for mode in modes]
    return int(any([tell(name, given.seed, *run()) for name, run in runs]))


def tell(name: str, seed: int, figures: str, found: dict[str, list[str]]) -> bool:
    """Print them; whether something was found."""
    print(f"\n{name}, seed {seed}\n{figures}", flush=True)
    for what, each in found.items():
        print(f"\n{what.upper()} ({len(each)})", *each[:20], sep="\n  ", flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
