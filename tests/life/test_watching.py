"""The figures of a server with several workers: the same from each, exact, and there after any of them is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support import leaks
from support.mills import Mill, environ, furnish, serving, stop
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.app.engine import record
from geomill.app.engine.runtime import LOG
from geomill.app.health import CHECKS
from geomill.app.metrics.slots import FOLDER
from geomill.app.request_ids import HEADER
from geomill.jobstore import Status

WORKERS = 4
PROCESSES = '''
import time
from pathlib import Path
from geomill.processes import BadInput, Progress, process


@process
def fine() -> int:
    """Be done."""
    return 1


@process
def bad(how: str) -> int:
    """Fail."""
    raise BadInput("how", "is no way") if how == "input" else ValueError(how)


@process
def hold(until: str, progress: Progress) -> str:
    """Go on until there is a file."""
    progress(10, "holding")
    while not Path(until).exists():
        time.sleep(0.01)
    return "done"
'''
OPERATIONS = {"execute": 8, "dismiss": 2, "getStatus": 10, "none": 10}  # how often each is asked for
Figures = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    root = tmp_path_factory.mktemp("watched")
    (root / "mine").mkdir()
    (root / "mine/watched.py").write_text(PROCESSES)
    furnish(root / "home", root / "mine")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "mine",))
    with serving(settings, "--workers", str(WORKERS), shared=True) as mill:
        yield mill


def figures(mill: Mill) -> Figures:
    """What a scrape gives: each sample by its name and the values of its labels."""
    reply = mill.call("GET", "/metrics")
    assert reply.status == 200, reply.data
    families = text_string_to_metric_families(reply.data.decode())
    return {
        (each.name, *(value for _, value in sorted(each.labels.items()))): each.value
        for family in families
        for each in family.samples
        if "getMetrics" not in each.labels.values()  # a scrape counts itself for the next one
    }


def counters(found: Figures) -> Figures:
    return {name: value for name, value in found.items() if name[0].endswith(("_total", "_count", "_bucket", "_sum"))}


@contextmanager
def alone(mill: Mill, worker: int) -> Iterator[None]:
    """Let one worker answer."""
    others = [pid for pid in mill.workers() if pid != worker]
    try:
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def from_each(mill: Mill) -> list[Figures]:
    """What each worker says."""
    found = []
    for worker in mill.workers():
        with alone(mill, worker):
            found.append(counters(figures(mill)))
    return found


def increase(before: Figures, after: Figures) -> Figures:
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def ended(process: str, status: Status, cause: str = "") -> tuple[str, ...]:
    return "geomill_jobs_ended_total", cause, process, status.value


def answered(method: str, operation: str, status: str) -> tuple[str, ...]:
    return "geomill_http_requests_total", method, operation, status


def test_every_worker_gives_the_figures_of_all(mill: Mill, tmp_path: Path) -> None:
    before = figures(mill)
    held = mill.submit("hold", until=str(tmp_path / "never"))
    for _ in range(3):
        assert mill.call("POST", "/processes/fine/execution", {"inputs": {}}).status == 200
    jobs = [mill.submit("fine"), mill.submit("bad", how="input"), mill.submit("bad", how="x")]
    mill.message(held, "holding")
    assert mill.call("DELETE", f"/jobs/{held}").status == 200  # dismissed
    assert mill.call("DELETE", f"/jobs/{held}").status == 200  # and removed
    jobs.append(mill.submit("hold", until=str(tmp_path)))
    for job_id in jobs:
        mill.ended(job_id)
    for _ in range(10):
        mill.status(jobs[0])
        assert mill.call("GET", "/none/such").status == 404
    expected = {
        ended("fine", Status.SUCCESSFUL): 4,
        ended("bad", Status.FAILED, "bad-input"): 1,
        ended("bad", Status.FAILED, "exception"): 1,
        ended("hold", Status.DISMISSED): 1,
        ended("hold", Status.SUCCESSFUL): 1,
        answered("POST", "execute", "2xx"): 8,
        answered("DELETE", "dismiss", "2xx"): 2,
        answered("GET", "getStatus", "2xx"): 10,
        answered("GET", "none", "4xx"): 10,
        **{("geomill_http_request_duration_seconds_count", name): count for name, count in OPERATIONS.items()},
        ("geomill_job_duration_seconds_count", "hold"): 2,
        ("geomill_job_duration_seconds_count", "fine"): 4,
        ("geomill_job_duration_seconds_count", "bad"): 2,
        ("geomill_job_wait_seconds_count",): 8,
    }
    until(lambda: sum(v for name, v in increase(before, figures(mill)).items() if "jobs_ended" in name[0]) == 8)
    each = from_each(mill)
    assert len(each) == WORKERS and all(one == each[0] for one in each)
    found = {name: value for name, value in increase(before, each[0]).items() if name[0].endswith(("total", "_count"))}
    assert found == expected
    now = figures(mill)
    assert (now["geomill_jobs", "accepted"], now["geomill_jobs", "running"]) == (0, 0)
    assert now["geomill_sync_places",] == WORKERS * 16 and now["geomill_sync_places_taken",] == 0
    # what somebody found while the index was made for the first time is told for a second
    until(lambda: [value for name, value in figures(mill).items() if name[0] == "geomill_ready"] == [1] * len(CHECKS))


def test_nothing_is_lost_with_workers_and_no_file_is_left_for_each(mill: Mill) -> None:
    asked = answered("GET", "getConformanceClasses", "2xx")
    for worker in mill.workers():
        with alone(mill, worker):
            mill.call("GET", "/conformance")
    before = counters(figures(mill))
    assert before[asked] >= WORKERS
    for _ in range(2):
        killed = set(mill.workers())
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(set(mill.workers()) - killed) == WORKERS)  # noqa: B023
        assert all(each == before for each in from_each(mill))
    mill.call("GET", "/conformance")
    after = counters(figures(mill))
    assert all(after[name] >= value for name, value in before.items())
    assert after[asked] == 1 + before[asked]
    assert len(list((mill.settings.runtime_dir / FOLDER).iterdir())) <= WORKERS + 1


def test_each_end_is_counted_once_though_dispatchers_are_killed(mill: Mill, tmp_path: Path) -> None:
    before, flags = figures(mill), [tmp_path / str(number) for number in range(2)]
    jobs = []
    for flag in flags:
        jobs.append(job_id := mill.submit("hold", until=str(flag)))
        dispatcher = until(mill.dispatcher)
        os.kill(dispatcher, signal.SIGKILL)
        flag.touch()
        mill.ended(job_id)
        leaks.share(until(lambda: (pid := mill.dispatcher()) != dispatcher and pid))  # noqa: B023
    assert mill.call("DELETE", f"/jobs/{jobs[0]}").status == 200  # removed
    name = ended("hold", Status.SUCCESSFUL)
    until(lambda: increase(before, figures(mill)).get(name) == 2)
    until(lambda: mill.store.index.ids(Status.RUNNING) == [])
    found = increase(before, figures(mill))
    assert found[name] == 2 and found["geomill_dispatcher_starts_total",] == 2
    assert record.read(mill.settings.runtime_dir)[record.STARTS] == figures(mill)["geomill_dispatcher_starts_total",]


def test_who_waits_is_measured(mill: Mill, tmp_path: Path) -> None:
    flag, most = tmp_path / "flag", mill.settings.max_running
    jobs = [mill.submit("hold", until=str(flag)) for _ in range(most + 2)]
    until(lambda: figures(mill)["geomill_jobs", "running"] == most)
    now = figures(mill)
    assert now["geomill_jobs", "accepted"] == 2 and now["geomill_jobs_limit", "running"] == most
    assert now["geomill_oldest_accepted_job_age_seconds",] > 0
    flag.touch()
    for job_id in jobs:
        mill.ended(job_id)
    until(lambda: figures(mill)["geomill_oldest_accepted_job_age_seconds",] == 0)


def test_a_dispatcher_that_is_stuck_makes_the_server_unready(mill: Mill) -> None:
    dispatcher = until(mill.dispatcher)
    os.kill(dispatcher, signal.SIGSTOP)
    try:
        reply = until(lambda: (found := mill.call("GET", "/readyz")).status == 503 and found)
        (failed,) = (each for each in reply.json()["checks"] if not each["passed"])
        assert failed["name"] == "dispatcher" and "does not answer" in failed["trouble"]
        until(lambda: figures(mill)["geomill_ready", "dispatcher"] == 0)
        assert mill.call("GET", "/healthz").status == 200
    finally:
        os.kill(dispatcher, signal.SIGCONT)
    assert holds(lambda: mill.call("GET", "/readyz").status == 200)


def test_every_line_is_an_object_where_that_is_wanted(tmp_path: Path) -> None:
    """Under gunicorn's own command, which can log requests."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/watched.py").write_text(PROCESSES)
    furnish(tmp_path / "home", tmp_path / "mine")
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(tmp_path / "mine",))
    given = {"home": settings.home, "runtime_dir": settings.runtime_dir, "processes": settings.processes[0]}
    names = environ({**{name: str(value) for name, value in given.items()}, "port": "0", "log_format": "json"})
    log, root = tmp_path / "log", Path(__file__).parents[2]
    command = [sys.executable, "-m", "gunicorn", "--access-logfile", "-", "wsgi:app"]
    with log.open("w") as file:
        server = subprocess.Popen(command, env=names, cwd=root, stdout=file, stderr=file, text=True)
    try:
        begun = until(lambda: "Listening at" in log.read_text() and log.read_text().splitlines())
        url = next(line["message"].split()[2] for line in map(json.loads, begun) if "Listening" in line["message"])
        mill = Mill(url, server.pid, settings)
        until(mill.dispatcher)
        job_id = mill.submit("hold", until="never")
        mill.message(job_id, "holding")
        os.kill(mill.store.read_status(job_id).pid or 0, signal.SIGKILL)
        assert mill.ended(job_id).cause == "lost"
        mill.call("GET", f"/jobs/{job_id}?token=secret", **{HEADER: "4f1e"})
        lines = until(lambda: (text := log.read_text()).count("4f1e") and text.splitlines())
        (line,) = (each for each in map(json.loads, lines) if each.get("request") == "4f1e")
        assert {name: line[name] for name in ("method", "path", "status", "job", "tenant", "level")} == {
            **{"method": "GET", "path": f"/jobs/{job_id}", "status": 200, "job": job_id, "tenant": "default"},
            **{"level": "INFO"},
        }
        assert line["seconds"] > 0 and line["bytes"] > 0 and "secret" not in log.read_text()
        lost = until(lambda: [line for line in (settings.runtime_dir / LOG).read_text().splitlines() if job_id in line])
        assert json.loads(lost[0])["job"] == job_id
    finally:
        stop(server, settings)
    for path in (log, settings.runtime_dir / LOG):
        found = [json.loads(line) for line in path.read_text().splitlines()]
        assert found and all({"time", "level", "pid", "logger", "message"} <= line.keys() for line in found)
