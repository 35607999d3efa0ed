"""Homes with many jobs in them, made once for all benchmarks of a run, at the speed of the disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks.mill import settings_of, temporary
from geomill.app.engine.client import open_store
from geomill.jobstore import Job, JobStore, Result, Status, StatusInfo, records
from geomill.jobstore.alive import boot_id

APART = 1.0  # seconds between two jobs: a million of them are eleven days, so that none expires
PROCESSES = ("echo", "buffer", "water-mask")
FAILED = 10  # one of so many has


@cache
def home(stored: int, rows: int = 0) -> Path:
    """A folder with a home for `serving`: jobs that have ended; kept until this process ends.

    stored: how many have a folder, the newest ones; rows: how many there are in the index, if that is more.
    """
    place = temporary()
    store = open_store(settings_of(place))
    newest = time.time() - 60
    infos = [_info(number, newest) for number in range(stored)]
    for info in infos:
        _appear(store, info)
    older = (_info(number, newest) for number in range(stored, rows))
    store.index.rebuild(_each(infos, older), boot_id())
    store.index.close()
    return place


def _each(*parts: list[StatusInfo] | Iterator[StatusInfo]) -> Iterator[StatusInfo]:
    for part in parts:
        yield from part


def _info(number: int, newest: float) -> StatusInfo:
    """The number-th job, counted from the newest; it took a second, or every hundredth a minute."""
    moment = newest - number * APART
    created = datetime.fromtimestamp(int(moment * 1000) / 1000, UTC)
    finished = datetime.fromtimestamp(created.timestamp() + (1 if number % 100 else 60), UTC)
    failed = number % FAILED == FAILED - 1
    info = StatusInfo(
        records.new_job_id(moment), PROCESSES[number % len(PROCESSES)], "", created,
        Status.FAILED if failed else Status.SUCCESSFUL, finished, created, finished,
        progress=None if failed else 100, pid=2, start_time=1, boot_id=boot_id(),
    )  # fmt: skip
    return replace(info, cause="exception", message="ValueError: no") if failed else info


def _appear(store: JobStore, info: StatusInfo) -> None:
    """The folder of a job that has ended."""
    folder = store.folder(info.job_id)
    os.makedirs(folder)
    job = Job(info.job_id, info.process_id, "1.0.0", "", info.created, "", "", "", "")
    contents = {"job.json": records.dump(job), "request.json": {"inputs": {}}, "status.json": records.dump(info)}
    if info.status is Status.SUCCESSFUL:
        contents["results.json"] = {"echoInput": records.dump(Result("hello"))}
    for name, content in contents.items():
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(descriptor, json.dumps(content, separators=(",", ":")).encode())
        os.close(descriptor)


def newest(place: Path) -> str:
    """The id of the newest job in such a home that was successful."""
    store = open_store(settings_of(place))
    shard = max(os.listdir(store.jobs))
    jobs = sorted(os.listdir(store.jobs / shard), reverse=True)
    return next(job_id for job_id in jobs if store.read_status(job_id).status is Status.SUCCESSFUL)
