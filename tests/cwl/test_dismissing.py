"""DELETE answers 200 only when nothing of a running package exists, whatever its tools forked, left or ignored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cwl.conftest import LIMITS, needs_sandbox  # type: ignore[import-not-found]
from support import leaks
from support.at_work import at_work
from support.hostile import Site, deploy, glob, outputs, run, tool, workflow
from support.mills import WITHOUT_NAMESPACES, Mill, serving
from support.others import needs_another_user
from support.variants import thorough
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.app.engine.steps import events
from geomill.jobstore import Status

WILD = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)

def fork(run):
    if os.fork() == 0:
        run()
        os._exit(0)

def stay():
    while True:
        time.sleep(1)

def leave():
    os.setsid()
    fork(stay)

def hop():
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.005)

def silence():
    for number in (0, 1, 2):
        os.close(number)
    stay()

for each in (stay, leave, hop, silence):
    fork(each)
subprocess.Popen(['sh', '-c', "trap '' TERM; while true; do sleep 1; done"], start_new_session=True)
print('ready', flush=True)
stay()
"""
NOTHING = {"grace": "0.1", "max_running": "4"}


OTHERS = ("none, without namespaces", "none", "sandbox, ordinary user")


@pytest.fixture(scope="module", params=["sandbox", *map(thorough, OTHERS)])
def mill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, web: Site) -> Iterator[Mill]:
    """A server whose tools are kept apart or not, on a host that allows PID namespaces or does not."""
    needs_sandbox()
    root = tmp_path_factory.mktemp("mill")
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    limits = LIMITS | {"isolation": request.param.split(",")[0], "allow": web.address}
    prefix: tuple[str, ...] = ()
    if request.param.endswith("namespaces") and isolation.namespaces_allowed():
        prefix = WITHOUT_NAMESPACES
    if request.param.endswith("user"):
        needs_another_user(root)
        limits["job_user"] = "nobody"
    with serving(settings, shared=True, prefix=prefix, **limits) as mill:
        deploy(mill, tool(WILD), "wild")
        deploy(mill, workflow(
            {"first": {"run": tool("open('o', 'w')", {"o": glob("o")}), "in": {}, "out": ["o"]},
             "second": {"run": tool(WILD, inputs={"f": "File"}), "in": {"f": "first/o"}, "out": []},
             "third": {"run": tool("", inputs={"f": "File"}), "in": {"f": "first/o"}, "out": []}}, {}), "steps")
        yield mill  # fmt: skip


def begun(mill: Mill, process: str, step: str) -> str:
    """A job whose tool has forked all that it wants to."""
    job_id = mill.submit(process)
    log = mill.store.folder(job_id) / "logs" / f"{step}.log"
    until(lambda: log.exists() and b"ready" in log.read_bytes(), 60)
    until(lambda: step in [event["step"] for event in events(mill.store.folder(job_id))])  # the supervisor has heard so
    return job_id


@contextmanager
def nothing_left() -> Iterator[None]:
    """No process of a tool is there afterwards, wherever it hides."""
    yield
    until(lambda: not [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _is_tool(pid)])


def _is_tool(pid: int) -> bool:
    try:
        return b"def hop():" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.parametrize("process, step", [thorough("wild", "wild"), ("steps", "second")])
def test_nothing_is_left_of_a_dismissed_step(mill: Mill, process: str, step: str) -> None:
    with nothing_left():
        job_id = begun(mill, process, step)
        reply = mill.call("DELETE", f"/jobs/{job_id}")
        assert (reply.status, reply.json()["status"], at_work(job_id)) == (200, "dismissed", [])
        steps = mill.call("GET", f"/jobs/{job_id}/events").json()["steps"]
        assert [each["status"] for each in steps if each["id"] == step] == ["dismissed"]
        folder = mill.store.folder(job_id)
        assert not (folder / "work").exists() and not (folder / "kept").exists()


def test_nothing_is_left_of_a_step_whose_supervisor_was_killed(mill: Mill) -> None:
    with nothing_left():
        job_id = begun(mill, "steps", "second")
        leaks.kill(mill.store.read_status(job_id).pid or 0)
        ended = mill.ended(job_id)
        assert (ended.status, ended.cause) == (Status.FAILED, "lost")
        steps = mill.call("GET", f"/jobs/{job_id}/events").json()["steps"]
        assert [each["status"] for each in steps if each["id"] == "second"] == ["failed"]
        until(lambda: not at_work(job_id))
        until(lambda: not (mill.store.folder(job_id) / "work").exists())


def test_nothing_is_left_of_a_step_whose_job_was_killed(mill: Mill) -> None:
    with nothing_left():
        job_id = begun(mill, "steps", "second")
        (child,) = leaks.children(mill.store.read_status(job_id).pid or 0)[:1]
        leaks.kill(child)
        assert mill.ended(job_id).status is Status.FAILED
        until(lambda: not at_work(job_id))  # the supervisor itself, with its last word said


def test_a_job_is_dismissed_while_its_inputs_are_fetched(mill: Mill, web: Site, name: str) -> None:
    deploy(mill, tool("", inputs={"f": "File"}), name)
    web.hold(f"/{name}")
    job_id = mill.submit(name, f={"href": f"{web.url}/{name}"})
    until(lambda: f"/{name}" in web.asked, 60)
    reply = mill.call("DELETE", f"/jobs/{job_id}")
    assert (reply.status, reply.json()["status"]) == (200, "dismissed")
    assert at_work(job_id) == []
    web.release()


@pytest.mark.thorough
def test_a_job_is_dismissed_while_it_is_published(mill: Mill) -> None:
    script = "import os; os.mkdir('d'); [open(f'd/{n}', 'w').write('x' * 9000) for n in range(4000)]"
    deploy(mill, tool(script, {"d": glob("d", "Directory")}), "giving")
    job_id = mill.submit("giving")
    until(lambda: (mill.store.folder(job_id) / "outputs").exists(), 60)
    reply = mill.call("DELETE", f"/jobs/{job_id}")
    assert reply.status in (200, 202)
    until(lambda: not mill.store.folder(job_id).exists() or mill.store.read_status(job_id).status.final, 60)
    until(lambda: not at_work(job_id))
    if mill.store.folder(job_id).exists():
        assert mill.status(job_id)["status"] == "dismissed"


@pytest.mark.thorough
def test_a_step_that_takes_too_long_is_ended_with_all_it_left(tmp_path: Path) -> None:
    needs_sandbox()
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    with nothing_left(), serving(settings, time_limit="8", **NOTHING) as mill:
        deploy(mill, tool(WILD), "wild")
        job_id = begun(mill, "wild", "wild")
        ended = mill.ended(job_id)
        assert (ended.status, ended.cause) == (Status.FAILED, "time-limit")
        until(lambda: not at_work(job_id))
        assert mill.call("GET", f"/jobs/{job_id}/results").status == 504


def test_a_tool_that_ended_leaves_nothing_behind(mill: Mill) -> None:
    with nothing_left():
        script = WILD.rpartition("stay()")[0] + "open('o', 'w')"
        status = run(mill, tool(script, {"o": glob("o")}), "leaving")
        assert status["status"] == "successful", status
        assert len(outputs(mill, status["jobID"])) == 1
