"""Asking for a list of jobs when there are many."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import quote

from benchmarks import beside, stock
from benchmarks.answers import FEW, FLAT, wait
from benchmarks.client import Client, crowd, get
from benchmarks.figures import Figure, compared, latency
from benchmarks.measuring import interleaved
from benchmarks.mill import Mill, serving
from benchmarks.scale import Scale
from examples.backstage import expect
from geomill.jobstore.records import now, timestamp

MOST, MOST_OF_DURATIONS = 3.0, 200.0  # ms
LONG, HALF = 1000, 1_000_000  # pages; seconds that no job took


def listing(scale: Scale) -> Iterator[Figure]:
    """The newest hundred, by status, by process and time, and the thousandth page, with a million in the index."""
    least = 1000
    place, little = stock.home(scale.stored, scale.rows), stock.home(least)
    with serving(place) as large, serving(little) as small:
        for mill in (large, small):
            mill.warm_up()
        (rows,) = large.store.index.read("SELECT count(*) FROM jobs")
        expect(rows[0] >= scale.rows, f"only {rows[0]} of {scale.rows} jobs are in the index")
        for name, path in queries().items():
            ours, theirs = interleaved(scale.rounds, partial(wait, large, path, 20), partial(wait, small, path, 20))
            yield from latency(f"GET {name}", ours, MOST)
            title = f"GET {name}, {scale.rows} rows"
            yield compared(title, "ms", ours, (f"ms, {least} rows", theirs), most=FLAT)
        pages = min(LONG, scale.stored // 100 - 1)
        ours, theirs = interleaved(
            scale.rounds, partial(wait, large, deep(large, pages), 20), partial(wait, large, "/jobs", 20)
        )
        yield from latency(f"GET the {pages}th `next`", ours, MOST)
        yield compared(f"GET the {pages}th `next`", "ms", ours, ("ms, the first page", theirs), most=FLAT)
        for name, path in durations().items():
            (times,) = interleaved(scale.rounds, partial(wait, large, path, 1))
            yield from latency(f"GET {name}", times, MOST_OF_DURATIONS)
    if beside.has_pygeoapi():
        yield from beside_pygeoapi(scale)


def queries() -> dict[str, str]:
    """What is asked for in both indexes: the newest jobs are the same ones."""
    since = quote(timestamp(now() - timedelta(hours=2)))
    return {
        "/jobs": "/jobs",
        "/jobs?limit=10": "/jobs?limit=10",
        "/jobs?status=failed": "/jobs?status=failed",
        "/jobs?status=failed,successful": "/jobs?status=failed,successful",
        "/jobs?processID&datetime": f"/jobs?processID=echo&datetime={since}/..",
    }


def durations() -> dict[str, str]:
    """Filters that no order of the index serves: that all jobs meet, that few do, and that none does."""
    return {
        "/jobs?minDuration, all meet it": "/jobs?minDuration=1",
        "/jobs?minDuration, every hundredth does": "/jobs?minDuration=30",
        "/jobs?minDuration, none does": f"/jobs?minDuration={HALF}",
        "/jobs?minDuration&status, none does": f"/jobs?minDuration={HALF}&status=successful",
    }


def deep(mill: Mill, pages: int) -> str:
    """The path of a page that so many `next` lead to."""
    client, path = Client(mill.url), "/jobs"
    for _ in range(pages):
        links = client.expect(200, "GET", path).json()["links"]
        path = "/" + next(link["href"] for link in links if link["rel"] == "next").removeprefix(mill.url)
    return path


def beside_pygeoapi(scale: Scale) -> Iterator[Figure]:
    """A page of ten, of as many jobs as there are folders."""
    place = stock.home(scale.stored, scale.rows)
    with serving(place) as mill, beside.pygeoapi(scale.stored) as peer:
        path = "/jobs?limit=10"
        expect(len(crowd(peer.url, [get(path)]).bodies[0]) > 1000, "pygeoapi lists no jobs")
        ours, theirs = interleaved(scale.rounds, partial(wait, mill, path, FEW), partial(wait, peer, path, FEW))
    yield compared(f"GET {path}, p50", "ms", ours, ("ms, pygeoapi", theirs), most=1)
