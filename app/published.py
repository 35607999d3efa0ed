"""Files of results, as they were published: looked at before anybody gets them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from geomill.app.exchange.request import read
from geomill.app.server import current_app
from geomill.jobstore import Job, JobCorrupt, Result, ResultNotAvailable
from geomill.processes.packages import described
from geomill.processes.records import CorruptProcess


def outputs_of(job: Job, results: Iterable[str] = ()) -> list[str]:
    """The ids of the outputs that the process had when the job was accepted; where that is lost, of its results."""
    found = descriptions_of(job)
    return list(results if found is None else found)


def descriptions_of(job: Job) -> dict[str, Any] | None:
    """What the process says of its outputs, by id; None where that is lost."""
    found = description_of(job)
    return None if found is None else dict(found.get("outputs", {}))


def description_of(job: Job) -> dict[str, Any] | None:
    """The description that the process had when the job was accepted; None where that is lost."""
    packages = current_app.settings.home / "packages"
    try:
        return described(packages, job.package, job.described, job.entry)
    except CorruptProcess:
        return None


def asked_for(job_id: str) -> dict[str, Result]:
    """The outputs that the job's request wants, those that were produced. Raises what `results` raises."""
    results, job = current_app.jobs.results(job_id), current_app.jobs.job(job_id)
    execution = read(current_app.jobs.request(job_id))
    wanted = [] if execution.wants_nothing else list(execution.outputs or outputs_of(job, results))
    return {name: results[name] for name in wanted if name in results}


def published(job_id: str, path: str) -> Result:
    """A file of the results, by the path it was published under. Raises ResultNotAvailable, what `results` raises."""
    for result in current_app.jobs.results(job_id).values():
        for each in result.files():
            if each.file == path:
                return each
    raise ResultNotAvailable(f"Job {job_id} has published no file {path!r}.")


def file_of(job_id: str, result: Result) -> Path:
    """A file of the results. Raises JobCorrupt for one that is not what was published."""
    path = current_app.jobs.output(job_id, result.file or "")
    with there(job_id, result):
        size = path.stat().st_size
    if result.size not in (None, size):
        raise JobCorrupt(job_id, f"its file {result.file} has {size} bytes, not {result.size}")
    return path


@contextmanager
def there(job_id: str, result: Result) -> Iterator[None]:
    """What is done with a file of the results. Raises NoSuchJob, JobExpired, JobCorrupt where it is missing."""
    try:
        yield
    except FileNotFoundError:
        current_app.jobs.check_kept(job_id)  # it may have been removed, or have expired, this moment
        raise JobCorrupt(job_id, f"its file {result.file} is missing") from None
