"""The end of a supervisor is noticed once, whoever named it, and how often."""

from __future__ import annotations

import os
import selectors
import subprocess

from geomill.app.engine import reaper
from geomill.app.engine.queue import Demand
from geomill.app.engine.running import Running, RunningJobs


def test_a_supervisor_that_is_named_twice_ends_once() -> None:
    ended: list[str] = []

    def when_ended(job_id: str) -> None:
        ended.append(job_id)
        for each in ("one", "two"):  # as a template that is lost takes others with it
            if each in jobs:
                jobs.remove(each)

    with selectors.DefaultSelector() as selector, subprocess.Popen(["sleep", "60"]) as supervisor:
        jobs = RunningJobs(selector, when_ended)
        before = len(os.listdir("/proc/self/fd"))
        for job_id in ("one", "two"):
            jobs.add(job_id, Running(Demand(job_id, "", "echo")))
            for _ in range(2):  # found by its status, and then named by its template
                assert jobs.watch(job_id, supervisor.pid, reaper.start_time(supervisor.pid) or 0)
        supervisor.kill()
        events = selector.select(10)
        assert len(events) == 2
        for key, _ in events:
            key.data()
        assert len(ended) == 1 and len(jobs) == 0
        assert len(os.listdir("/proc/self/fd")) == before
