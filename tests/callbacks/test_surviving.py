"""A receiver that is down while everything is killed: it hears afterwards, and what it may hear twice has one id."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import leaks
from support.mills import Mill, serving
from support.receivers import Receiver, receiving
from support.waiting import until

from geomill.app.callbacks.due import AGAIN
from geomill.app.config import Settings
from geomill.jobstore.callbacks import noted

JOBS = 5


@pytest.fixture
def settings(tmp_path: Path, folder: Path) -> Settings:
    """A home of its own."""
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(folder,))


@pytest.fixture
def nobody() -> Iterator[Receiver]:
    """A receiver that is down, and whose port nobody else gets."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for the receiver, when it is there
        held.bind(("127.0.0.1", 0))
        yield Receiver(f"http://127.0.0.1:{held.getsockname()[1]}")


def kill_everything(mill: Mill) -> None:
    """Master, workers, dispatcher, and what they have begun."""
    dispatcher = mill.dispatcher()
    assert dispatcher
    pids = [*leaks.children(dispatcher), dispatcher, *mill.workers(), mill.pid]
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    until(lambda: not any(leaks.running_name(pid) for pid in pids))


@contextmanager
def telling_in_vain(settings: Settings) -> Iterator[tuple[Mill, Receiver, int]]:
    """A server whose job nobody took note of yet, the receiver, and the pid of who tells it."""
    with receiving() as receiver, serving(settings, allow="127.0.0.1") as mill:
        receiver.answers = {"/done": [503]}
        body = {"inputs": {"echoInput": "hi"}, "subscriber": {"successUri": f"{receiver.url}/done"}}
        mill.call("POST", "/processes/echo/execution", body, Prefer="respond-async")
        receiver.wait("/done")
        children = leaks.children(mill.dispatcher() or 0)
        (deliverer,) = [pid for pid in children if leaks.running_name(pid) == "geomill-calls"]
        yield mill, receiver, deliverer


def failures(mill: Mill, job_ids: list[str]) -> int:
    """How many of these jobs have been told of in vain."""
    return sum(any(line["outcome"] == AGAIN for line in noted(mill.store.folder(each))) for each in job_ids)


def test_nothing_is_lost_when_everything_is_killed_twice(settings: Settings, nobody: Receiver) -> None:
    body = {"inputs": {"echoInput": "hi"}, "subscriber": {"successUri": f"{nobody.url}/done"}}
    job_ids: list[str] = []
    for _ in range(2):
        with pytest.raises(ProcessLookupError), serving(settings, allow="127.0.0.1") as mill:
            for _ in range(JOBS):
                reply = mill.call("POST", "/processes/echo/execution", body, Prefer="respond-async")
                job_ids.append(reply.json()["jobID"])
            until(lambda: failures(mill, job_ids) == len(job_ids))  # noqa: B023
            kill_everything(mill)
            raise ProcessLookupError
    port = int(nobody.url.rpartition(":")[2])
    with receiving(port, nobody) as receiver, serving(settings, allow="127.0.0.1") as mill:
        until(lambda: len({each.id for each in receiver.heard}) == len(job_ids))
        until(lambda: not mill.store.callbacks.expected())
        assert sorted(each.id for each in receiver.heard) == sorted(f"{each}-success" for each in job_ids)
        lines = [line for each in job_ids for line in noted(mill.store.folder(each)) if line["outcome"] == "delivered"]
        assert len(lines) == len(job_ids)


def test_a_job_that_ended_while_nobody_was_there_is_told_of(settings: Settings, tmp_path: Path) -> None:
    with receiving() as receiver:
        with pytest.raises(ProcessLookupError), serving(settings, allow="127.0.0.1") as mill:
            subscriber = {"successUri": f"{receiver.url}/done"}
            body = {"inputs": {"until": str(tmp_path / "go")}, "subscriber": subscriber}
            job_id = mill.call("POST", "/processes/hold/execution", body, Prefer="respond-async").json()["jobID"]
            mill.message(job_id, "holding")
            dispatcher = mill.dispatcher()
            assert dispatcher
            for pid in (mill.pid, *mill.workers(), dispatcher):
                os.kill(pid, signal.SIGKILL)
            (tmp_path / "go").touch()
            mill.ended(job_id)
            raise ProcessLookupError
        assert receiver.heard == []
        with serving(settings, allow="127.0.0.1"):
            assert receiver.wait("/done")[0].document == {"result": "done"}


def test_who_delivers_is_replaced_when_he_is_killed(settings: Settings) -> None:
    with telling_in_vain(settings) as (mill, receiver, deliverer):
        os.kill(deliverer, signal.SIGKILL)
        receiver.answers = {"/done": [200]}
        until(lambda: not mill.store.callbacks.expected())
        assert len({each.id for each in receiver.heard}) == 1


@pytest.mark.thorough
def test_who_delivers_is_replaced_when_he_is_stopped(settings: Settings) -> None:
    with telling_in_vain(settings) as (mill, receiver, deliverer):
        os.kill(deliverer, signal.SIGSTOP)
        receiver.answers = {"/done": [200]}
        until(lambda: not mill.store.callbacks.expected(), 120)
        assert leaks.running_name(deliverer) != "geomill-calls"
