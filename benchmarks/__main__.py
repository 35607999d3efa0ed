"""Measure, show the figures, say which goals are missed (the exit status is 1 then), and write it all down."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    answers,
    crowd,
    document,
    execution,
    listing,
    live,
    machine,
    packages,
    pages,
    queueing,
    starting,
    storing,
    transfers,
)
from benchmarks.document import Section
from benchmarks.figures import Figure, table
from benchmarks.measuring import busy
from benchmarks.scale import QUICK, Scale
from examples.backstage import Failed

Benchmark = Callable[[Scale], Iterator[Figure]]
BENCHMARKS: dict[str, Benchmark] = {
    "start": starting.start,
    "memory": starting.memory,
    "answers": answers.answers,
    "flat": answers.flat,
    "list": listing.listing,
    "accept": execution.accept,
    "begin": execution.begin,
    "sync": execution.sync,
    "jobs": execution.jobs,
    "queued": queueing.queued,
    "running": queueing.running,
    "disk": storing.disk,
    "rebuild": storing.rebuild,
    "result": transfers.result,
    "reference": transfers.reference,
    "value": transfers.value,
    "cwl": packages.cwl,
    "water": packages.water,
    "live": live.live,
    "pages": pages.pages,
    "crowd": crowd.waiting,
    "dismiss": crowd.dismiss,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=BENCHMARKS, help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="do less of everything: three minutes")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file, too")
    parser.add_argument(
        "--document", metavar="FILE", type=Path,
        help="write tables and plots here; if not given, what is neither quick nor a part is written to " +
        str(document.PAGE),
    )  # fmt: skip
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end, too
    scale = QUICK if given.quick else Scale()
    print("\n".join(machine.lines()), flush=True)
    sections = [run(name, BENCHMARKS[name], scale) for name in given.only or BENCHMARKS]
    if given.json:
        told = {"machine": machine.lines(), "benchmarks": [section.record() for section in sections]}
        given.json.write_text(json.dumps(told, indent=2) + "\n")
    if page := given.document or (None if given.quick or given.only else document.PAGE):
        print("\n" + document.write(page, sections, quick=given.quick))
    missed = [f"{section.name}: {text}" for section in sections for text in section.missed()]
    print("\n" + "\n".join([f"goals missed: {len(missed)}", *missed]) if missed else "\nall goals are met")
    return 1 if missed else 0


def run(name: str, benchmark: Benchmark, scale: Scale) -> Section:
    """The figures of one benchmark, and what went wrong, if it did."""
    figures: list[Figure] = []
    trouble = None
    noise, begun = busy(), time.monotonic()
    try:
        for figure in benchmark(scale):
            figures.append(figure)
    except (Failed, OSError) as error:
        trouble = str(error)
    seconds, noise = time.monotonic() - begun, max(noise, busy())
    title = (benchmark.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    print(f"\n{name}: {title} ({seconds:.0f} s; others: {noise:.0%} of the processors)\n{table(figures)}", flush=True)
    if trouble:
        print(f"  FAIL  {trouble}", flush=True)
    return Section(name, title, noise, tuple(figures), trouble)


if __name__ == "__main__":
    sys.exit(main())
