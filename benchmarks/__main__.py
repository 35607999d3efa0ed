"""Measure, show the figures, say which targets are missed: the exit status is 1 then."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import crowd, execution, listing, packages, pages, starting
from benchmarks.figures import Figure, busy, table
from examples.backstage import Failed

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "start": starting.start,
    "accept": execution.accept,
    "begin": execution.begin,
    "sync": execution.sync,
    "many": execution.many,
    "crowd": crowd.crowd,
    "dismiss": crowd.dismiss,
    "list": listing.listing,
    "pages": pages.pages,
    "cwl": packages.cwl,
    "water": packages.water,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=BENCHMARKS, help=", ".join(BENCHMARKS))
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file, too")
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors", flush=True)
    records, missed = [], 0
    for name in given.only or BENCHMARKS:
        noise = busy()
        figures, trouble = measured(name)
        noise = max(noise, busy())
        title = (BENCHMARKS[name].__doc__ or "").partition(".")[0]
        print(f"\n{name}: {title} (others: {noise:.0%} of the processors)\n{table(figures)}", flush=True)
        if trouble:
            print(f"  FAIL  {trouble}", flush=True)
        missed += sum(figure.met is False for figure in figures) + bool(trouble)
        shown = [figure.record() for figure in figures]
        records.append({"name": name, "noise": noise, "trouble": trouble, "figures": shown})
    if given.json:
        machine = {"python": platform.python_version(), "processors": os.cpu_count(), "time": time.time()}
        given.json.write_text(json.dumps({"machine": machine, "benchmarks": records}, indent=2) + "\n")
    print(f"\ntargets missed: {missed}" if missed else "\nall targets are met")
    return 1 if missed else 0


def measured(name: str) -> tuple[list[Figure], str | None]:
    """The figures of one benchmark, and what went wrong, if it did."""
    figures: list[Figure] = []
    try:
        for figure in BENCHMARKS[name]():
            figures.append(figure)
    except (Failed, OSError) as error:
        return figures, str(error)
    return figures, None


sys.exit(main())
