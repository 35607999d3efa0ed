"""The job stores of a home, as the dispatcher sees them: one for each tenant, by the folders that there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from geomill.app import tenant_names
from geomill.jobstore import Job, JobCorrupt, JobStore, NoSuchJob, StatusInfo
from geomill.jobstore.listing import repair_index
from geomill.jobstore.records import new_job_id

MARGIN = 60.0  # seconds that clocks may have been set back, and a request may have taken, since the last look


class Stores:
    """The stores of all tenants; one is opened when it is first asked for, or seen."""

    def __init__(self, default: JobStore) -> None:
        """default: that of the default tenant."""
        self.default = default
        self._open = {default.tenant: default}

    def __getitem__(self, tenant: str) -> JobStore:
        """The store of a tenant. Raises LookupError for one that is not there."""
        if tenant not in self._open:
            tenant_names.check(tenant)
            if not (self.default.home / tenant / "jobs").is_dir():
                raise LookupError(tenant)
            self._open[tenant] = self.default.of(tenant)
        return self._open[tenant]

    def there(self) -> list[JobStore]:
        """The stores of the tenants that have folders now."""
        return [self[tenant] for tenant in tenant_names.at_work(self.default.home)]

    def collect(self) -> None:
        """Remove what a crash left of jobs, as each store does."""
        for store in self.there():
            store.collect()

    def close_indexes(self) -> None:
        """Let go of their files: to be called before a fork."""
        for store in self._open.values():
            store.index.close()


def repair_indexes(stores: list[JobStore]) -> None:
    """Make them anew where they cannot be believed, one after the other."""
    for store in stores:
        repair_index(store)


def read_status(store: JobStore, job_id: str) -> StatusInfo | None:
    """Where a job stands; None when it is gone, or its file cannot be read now."""
    with suppress(NoSuchJob, OSError):
        return store.read_status(job_id)
    return None


def read_job(store: JobStore, job_id: str) -> Job | None:
    """What was asked; None when it is gone, or its file is torn."""
    with suppress(NoSuchJob, JobCorrupt, OSError):
        return store.job(job_id)
    return None


def latest(store: JobStore) -> Iterator[str]:
    """The jobs that came since the last look, whichever dispatcher looked, and are in no index.

    A killed worker may have told nobody. Raises sqlite3.Error.
    """
    mark = store.index.path.with_suffix(".reconciled")  # its time is that of the last look
    since = max(0.0, mark.stat().st_mtime - MARGIN) if mark.exists() else 0.0
    mark.touch()
    least = new_job_id(since)
    known = store.index.since(least)
    for shard in sorted(os.listdir(store.jobs), reverse=True):
        if shard < least[: len(shard)]:
            break
        with suppress(OSError):
            if (store.jobs / shard).stat().st_mtime >= since:
                came = [job_id for job_id in os.listdir(store.jobs / shard) if job_id >= least]
                yield from [job_id for job_id in came if job_id not in known]
