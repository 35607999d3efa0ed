"""The jobs that the dispatcher has started: what they ask for, who their supervisors are, how their end is noticed."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from geomill.app.engine import reaper
from geomill.app.engine.queue import Demand
from geomill.app.engine.templates import LIBRARIES
from geomill.jobstore import Job, JobStore


@dataclass
class Running:
    """A job that has a supervisor. pidfd: None until it is known; kill_at: when patience with a dismissal ends."""

    demand: Demand
    asked: float = field(default_factory=time.monotonic)
    pid: int | None = None
    start_time: int | None = None
    pidfd: int | None = None
    kill_at: float | None = None


def demand_of(store: JobStore, job: Job) -> Demand:
    """What a job asks for."""
    limits = job.limits
    asked = (limits.cpus, limits.memory, limits.max_running)
    template = job.template if job.template in LIBRARIES else "base"
    return Demand(job.job_id, job.owner, job.process_id, *asked, tenant=store.tenant, template=template)


class RunningJobs:
    """By the ids of the jobs."""

    def __init__(self, selector: selectors.BaseSelector, ended: Callable[[str], None]) -> None:
        """ended: what the selector is to call when the supervisor of a job has gone."""
        self._selector, self._when_ended = selector, ended
        self._jobs: dict[str, Running] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, job_id: str) -> bool:
        return job_id in self._jobs

    def get(self, job_id: str) -> Running | None:
        """A job, if it runs."""
        return self._jobs.get(job_id)

    def items(self) -> list[tuple[str, Running]]:
        """All of them now, and their ids."""
        return list(self._jobs.items())

    def demands(self) -> list[Demand]:
        """What they ask of the host."""
        return [each.demand for each in self._jobs.values()]

    def add(self, job_id: str, running: Running) -> None:
        """A job whose supervisor is asked for, or is there."""
        self._jobs[job_id] = running

    def watch(self, job_id: str, pid: int, start_time: int) -> bool:
        """Have the end of a job's supervisor noticed; False when it has ended already.

        Who is watched stays watched: a slow template may name a supervisor that was found by its status meanwhile.
        Raises OSError where there is no descriptor to be had; then it is as if the supervisor had not answered yet.
        """
        running = self._jobs[job_id]
        if running.pidfd is not None:
            return True
        try:
            running.pidfd = reaper.open_process(pid, start_time)
        except OSError:
            running.asked = time.monotonic()
            raise
        running.pid, running.start_time = pid, start_time
        if running.pidfd is None:
            return False
        self._selector.register(running.pidfd, selectors.EVENT_READ, lambda: self._is_over(job_id, running))
        return True

    def _is_over(self, job_id: str, running: Running) -> None:
        """The supervisor has gone; what came at the same moment may have ended the job before."""
        if self._jobs.get(job_id) is running:
            self._when_ended(job_id)

    def remove(self, job_id: str) -> Running:
        """Watch a job no longer."""
        running = self._jobs.pop(job_id)
        if running.pidfd is not None:
            self._selector.unregister(running.pidfd)
            os.close(running.pidfd)
        return running

    def kill_overdue(self, moment: float) -> None:
        """End the supervisors that were to end by themselves, and did not. moment: seconds, of the monotonic clock."""
        for running in self._jobs.values():
            if running.kill_at is not None and running.kill_at <= moment and running.pidfd is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(running.pidfd, signal.SIGKILL)
