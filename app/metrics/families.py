"""The metrics: each function gives those of one source, as it is at this moment.

Next to nothing is counted for them: what has ended is counted by the index, requests by the workers, dispatchers by
themselves; the rest is looked up when somebody asks. So every worker gives the same figures.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import exposition
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics import exposition as openmetrics

from geomill.app.engine import record
from geomill.app.metrics import requests
from geomill.jobstore import tally
from geomill.jobstore.admission import free

if TYPE_CHECKING:
    from geomill.app.server import Geomill

OTHERS = "(others)"  # processes beyond those that are told apart


@dataclass(frozen=True)
class Format:
    """How metrics are written."""

    content_type: str
    write: Callable[[Any], bytes]


FORMATS = {  # by media type; the first is what Prometheus has always read
    "text/plain": Format("text/plain; version=0.0.4; charset=utf-8", exposition.generate_latest),
    "application/openmetrics-text": Format(openmetrics.CONTENT_TYPE_LATEST, openmetrics.generate_latest),
}


class Families:
    """All metrics of a server, as a collector of prometheus_client."""

    def __init__(self, app: Geomill) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Called while they are written. A source that cannot be read now gives none: a gap is no false figure."""
        for source in SOURCES:
            try:
                yield from list(source(self._app))
            except (OSError, sqlite3.Error):
                continue


def of_server(app: Geomill) -> Iterator[Metric]:
    """Which server it is, and whether it is ready."""
    yield InfoMetricFamily("geomill_build", "The version that answers.", {"version": version("geomill")})
    ready = GaugeMetricFamily("geomill_ready", "1 where a check of /readyz passes.", labels=["check"])
    for name, trouble in app.readiness.checks().items():
        ready.add_metric([name], 0 if trouble else 1)
    yield ready


def of_requests(app: Geomill) -> Iterator[Metric]:
    """What the workers have answered, and how long that took."""
    counts = app.requests.read()
    answered = CounterMetricFamily(
        "geomill_http_requests", "Requests that were answered.", labels=["operation", "method", "status"]
    )
    for labels, number in counts.requests.items():
        answered.add_metric(labels, number)
    yield answered
    took = HistogramMetricFamily(
        "geomill_http_request_duration_seconds", "From a request to the beginning of its answer.", labels=["operation"]
    )
    for each in counts.durations:
        took.add_metric([each.operation], _buckets(requests.BOUNDS, each.buckets), each.seconds)
    yield took
    yield GaugeMetricFamily("geomill_sync_places", "Requests that may wait for jobs at a time.", counts.places)
    yield GaugeMetricFamily("geomill_sync_places_taken", "Requests that wait for jobs.", counts.taken)
    yield CounterMetricFamily("geomill_sync_places_refused", "Requests that found no place to wait.", counts.refused)


def of_jobs(app: Geomill) -> Iterator[Metric]:
    """What waits, runs and has ended, of all tenants together."""
    tallies = [tally.read(store.index) for store in app.tenants.stores()]
    now = GaugeMetricFamily("geomill_jobs", "Jobs that have not ended.", labels=["status"])
    now.add_metric(["accepted"], sum(each.accepted for each in tallies))
    now.add_metric(["running"], sum(each.running for each in tallies))
    yield now
    most = GaugeMetricFamily("geomill_jobs_limit", "Jobs that may wait, of a tenant, and run.", labels=["status"])
    most.add_metric(["accepted"], app.settings.max_queued)
    most.add_metric(["running"], app.settings.max_running)
    yield most
    age = max((time.time() - each.oldest for each in tallies if each.oldest is not None), default=0.0)
    yield GaugeMetricFamily(
        "geomill_oldest_accepted_job_age_seconds", "How long the job has waited that waits longest.", max(0.0, age)
    )
    yield from _ended([row for each in tallies for row in each.ended])
    waited = HistogramMetricFamily("geomill_job_wait_seconds", "From accepted to running, of jobs that began.")
    waited.add_metric([], *_times((bucket, jobs, took) for each in tallies for bucket, jobs, took in each.waited))
    yield waited


def _ended(rows: Sequence[tally.Row]) -> Iterator[Metric]:
    counts = Counter[tuple[str, str, str]]()
    ran: dict[str, list[tuple[int, int, float]]] = {}
    for process, status, cause, bucket, jobs, seconds in rows:
        name = OTHERS if process == tally.OTHERS else process
        counts[name, status, cause] += jobs
        if bucket != tally.NEVER:
            ran.setdefault(name, []).append((bucket, jobs, seconds))
    ended = CounterMetricFamily(
        "geomill_jobs_ended", "Jobs that have ended, and what failed ones failed of.",
        labels=["process", "status", "cause"],
    )  # fmt: skip
    for labels, number in counts.items():
        ended.add_metric(labels, number)
    yield ended
    took = HistogramMetricFamily("geomill_job_duration_seconds", "From running to the end.", labels=["process"])
    for name, times in ran.items():
        took.add_metric([name], *_times(times))
    yield took


def of_dispatchers(app: Geomill) -> Iterator[Metric]:
    """What dispatchers came to."""
    done = record.read(app.settings.runtime_dir)
    yield CounterMetricFamily("geomill_dispatcher_starts", "Dispatchers that have begun.", done[record.STARTS])
    yield CounterMetricFamily(
        "geomill_orphans_swept", "Processes that lost their job, and were ended.", done[record.SWEPT]
    )


def of_callbacks(app: Geomill) -> Iterator[Metric]:
    """Whom jobs are to tell of themselves, of all tenants together."""
    pending = sum(len(store.callbacks.expected()) for store in app.tenants.stores())
    yield GaugeMetricFamily("geomill_callbacks_pending", "Jobs that somebody is yet to be told of.", pending)


def of_disk(app: Geomill) -> Iterator[Metric]:
    """What is left where jobs are kept; inodes where the file system counts them."""
    there = os.statvfs(app.settings.home)
    space, inodes = free(app.settings.home)
    yield GaugeMetricFamily("geomill_disk_bytes", "Size of the disk with the jobs.", there.f_blocks * there.f_frsize)
    yield GaugeMetricFamily("geomill_disk_free_bytes", "What is left of it.", space)
    if there.f_files:
        yield GaugeMetricFamily("geomill_disk_inodes", "Inodes of the disk with the jobs.", there.f_files)
        yield GaugeMetricFamily("geomill_disk_free_inodes", "What is left of them.", inodes)


SOURCES = (of_server, of_requests, of_jobs, of_dispatchers, of_callbacks, of_disk)


def _times(rows: Iterator[tuple[int, int, float]] | list[tuple[int, int, float]]) -> tuple[list[Any], float]:
    """Buckets and sum of a histogram. rows: (bucket, jobs, seconds)."""
    counts, total = [0] * (len(tally.BOUNDS) + 1), 0.0
    for bucket, jobs, seconds in rows:
        counts[bucket] += jobs
        total += seconds
    return _buckets(tally.BOUNDS, counts), total


def _buckets(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, int]]:
    """As they are exposed: each has what the ones before it have, too."""
    names = [*map(str, map(float, bounds)), "+Inf"]
    return list(zip(names, accumulate(counts), strict=True))
