"""Processes that name an interpreter of their own: run by it, with our authoring modules alone on its path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mills import Mill, serving
from support.waiting import until

from geomill.app.config import Settings
from geomill.jobstore import Status

FOREIGN = Path(sys.base_prefix, "bin", "python3")  # in which we are not installed
PROCESSES = '''
import os, signal, sys, time
from pathlib import Path
from typing import Annotated, Any, Dict
from geomill.processes import BadInput, Fetch, File, Progress, process

@process
def where(progress: Progress) -> Dict[str, Any]:
    """Tell about the interpreter."""
    progress(50, "half")
    print("printed")
    try:
        import geomill.app
        alone = False
    except ImportError:
        alone = True
    return {"prefix": sys.prefix, "alone": alone, "directory": os.getcwd()}

@process
def copy(text: Annotated[Path, File("Text", "text/plain")]) -> Annotated[Path, File("Text", "text/plain")]:
    """Give back a file."""
    Path("copy.txt").write_text(text.read_text() + "!")
    return Path("copy.txt")

@process
def end(how: str, fetch: Fetch) -> int:
    """End in a way."""
    if how == "input":
        raise BadInput("how", "is no way")
    if how == "fetch":
        fetch("http://10.0.0.1/x")
    if how == "error":
        raise RuntimeError("it broke")
    if how == "exit":
        sys.exit("enough")
    if how == "silently":
        os._exit(0)
    if how == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "child" and os.fork() == 0:
        os.setsid()
        time.sleep(1000)
    return 1
'''


@pytest.fixture(scope="module", params=["folder", "file"])
def foreign(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server whose folder, or file, names the interpreter."""
    root, folder = tmp_path_factory.mktemp("mill"), tmp_path_factory.mktemp("processes")
    head = f"# geomill: python = {FOREIGN}\n" if request.param == "file" else ""
    (folder / "foreign.py").write_text(head + PROCESSES)
    if request.param == "folder":
        (folder / "processes.toml").write_text(f'python = "{FOREIGN}"\n')
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(folder,))
    with serving(settings, shared=True) as mill:
        yield mill


def test_it_runs_in_the_interpreter_it_names(foreign: Mill) -> None:
    job_id = foreign.submit("where")
    assert foreign.ended(job_id).status is Status.SUCCESSFUL
    told = foreign.store.results(job_id)["result"].value
    assert (Path(told["prefix"]).resolve(), told["alone"]) == (Path(sys.base_prefix).resolve(), True)
    assert told["directory"].endswith(f"{job_id}/work")
    assert foreign.call("GET", f"/jobs/{job_id}/logs").data == b"printed\n"


def test_files_go_in_and_come_out(foreign: Mill) -> None:
    body = {"inputs": {"text": {"value": "hello", "mediaType": "text/plain"}}}
    assert foreign.call("POST", "/processes/copy/execution", body).data == b"hello!"


@pytest.mark.parametrize(
    "how, cause, message",
    [
        ("input", "bad-input", "how: is no way"),
        ("fetch", "bad-input", "http://10.0.0.1/x is refused: 10.0.0.1 is not a public address."),
        ("error", "exception", "RuntimeError: it broke"),
        ("exit", "exit", "ended with exit code 1: enough"),
        ("silently", "exit", "ended before it gave its results"),
        ("signal", "signal", "ended by signal 9 (Killed)"),
    ],
)
def test_a_failure_is_told_as_that_of_any_other(foreign: Mill, how: str, cause: str, message: str) -> None:
    info = foreign.ended(foreign.submit("end", how=how))
    assert (info.status, info.cause) == (Status.FAILED, cause)
    assert (info.message or "").startswith(message)


def test_what_it_leaves_behind_holds_up_nothing(foreign: Mill) -> None:
    job_id = foreign.submit("end", how="child")
    assert until(lambda: foreign.store.status(job_id).status.final, 10)
    assert foreign.store.status(job_id).status is Status.SUCCESSFUL
