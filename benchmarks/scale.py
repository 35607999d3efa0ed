"""How much is done: a run that can be believed, or one that shows within three minutes that everything works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """rounds: pairs of what is measured in turn; batch: requests of one client in each; stored: jobs in folders, rows:
    in the index; burst: jobs that eight clients ask for; single: jobs that one asks for, one after the other;
    queued, running: jobs that wait, and that run; window: seconds of looking at a server at rest;
    large, medium: MB of a result, and of an input; starts: how often a server is started; packages: runs of the slow
    CWL package.
    """

    rounds: int = 9
    batch: int = 150
    stored: int = 100_000
    rows: int = 1_000_000
    burst: int = 120
    single: int = 100
    queued: int = 10_000
    running: int = 500
    window: float = 10.0
    large: int = 1000
    medium: int = 100
    starts: int = 5
    packages: int = 5


QUICK = Scale(
    rounds=3, batch=40, stored=4_000, rows=20_000, burst=40, single=16, queued=400, running=40, window=2.0,
    large=200, medium=50, starts=1, packages=1,
)  # fmt: skip
