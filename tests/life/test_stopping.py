"""A server that is told to end takes nothing more, answers what it has taken, and leaves the jobs alone."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support import leaks
from support.mills import Mill, serving
from support.variants import thorough
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.jobstore import Status

SLACK = 10.0  # seconds more than promised that a loaded machine may take


@contextmanager
def in_flight(call: Callable[[], Any]) -> Iterator[Future[Any]]:
    """A request that is being answered while the block runs."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


def execute(mill: Mill, process: str, **inputs: Any) -> Any:
    return mill.call("POST", f"/processes/{process}/execution", {"inputs": inputs})


def is_running(mill: Mill) -> str | None:
    """A job that runs."""
    store = mill.store
    return next((each for each in store.walk() if store.read_status(each).status is Status.RUNNING), None)


def connect(mill: Mill) -> socket.socket:
    port = urlsplit(mill.url).port
    assert port
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def gone(pid: int, seconds: float) -> bool:
    return holds(lambda: not leaks.running_name(pid), seconds)


@pytest.mark.parametrize("number", [signal.SIGTERM, thorough(signal.SIGINT)])
def test_a_request_that_waits_for_a_job_gets_its_answer(settings: Settings, number: int) -> None:
    with serving(settings) as mill:
        with in_flight(lambda: execute(mill, "nap", seconds=2)) as answer:
            until(lambda: is_running(mill))
            os.kill(mill.pid, number)
            reply = answer.result(60)
        assert (reply.status, reply.data) == (200, b"2.0")
        assert gone(mill.pid, 2 + SLACK)


def test_the_exit_status_is_zero(settings: Settings) -> None:
    with serving(settings) as mill:
        os.kill(mill.pid, signal.SIGTERM)
        assert os.waitpid(mill.pid, 0)[1] == 0


def test_ctrl_c_reaches_all_processes_and_cuts_nothing_off(settings: Settings) -> None:
    with serving(settings) as mill:
        with in_flight(lambda: execute(mill, "nap", seconds=2)) as answer:
            until(lambda: is_running(mill))
            for pid in (*mill.workers(), mill.pid):
                os.kill(pid, signal.SIGINT)
            assert answer.result(60).data == b"2.0"


def test_who_waits_too_long_is_told_where_the_job_goes_on(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, stop_wait="4") as mill:
        with in_flight(lambda: execute(mill, "hold", until=str(tmp_path / "go"))) as answer:
            job_id = until(lambda: is_running(mill))
            os.kill(mill.pid, signal.SIGTERM)
            reply = answer.result(60)
        assert (reply.status, reply.headers["Location"]) == (201, f"{mill.url}/jobs/{job_id}")
        assert gone(mill.pid, 4 + SLACK)
        assert mill.store.status(job_id).durable
        (tmp_path / "go").touch()
        assert mill.ended(job_id).status is Status.SUCCESSFUL


def test_a_job_that_waits_for_its_turn_is_promised_and_starts(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, stop_wait="2", max_running="1") as mill:
        first = mill.submit("hold", until=str(tmp_path / "go"))
        mill.message(first, "holding")
        with in_flight(lambda: execute(mill, "nap", seconds=0)) as answer:
            waiting = until(lambda: next((each for each in mill.store.walk() if each != first), None))
            os.kill(mill.pid, signal.SIGTERM)
            assert answer.result(60).status == 201
        (tmp_path / "go").touch()
        assert mill.ended(waiting).status is Status.SUCCESSFUL


def test_a_slow_download_comes_whole(settings: Settings) -> None:
    with serving(settings) as mill:
        job_id = mill.submit("large", megabytes=30)
        mill.ended(job_id)
        with connect(mill) as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            link.sendall(f"GET /jobs/{job_id}/results/result HTTP/1.0\r\n\r\n".encode())
            received = len(link.recv(1000))
            os.kill(mill.pid, signal.SIGTERM)
            time.sleep(1)
            while content := link.recv(1 << 20):
                received += len(content)
        assert received > 30_000_000
        assert gone(mill.pid, SLACK)


def test_nobody_is_let_in_any_more(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, stop_wait="8") as mill:
        with in_flight(lambda: execute(mill, "hold", until=str(tmp_path / "go"))) as answer:
            until(lambda: is_running(mill))
            os.kill(mill.pid, signal.SIGTERM)

            def refused() -> bool:
                try:
                    connect(mill).close()
                except ConnectionRefusedError:
                    return True
                return False

            assert holds(refused, 3)
            assert not answer.done()
            (tmp_path / "go").touch()
            assert answer.result(60).status == 200


def test_who_was_in_the_queue_is_answered(settings: Settings) -> None:
    with serving(settings) as mill:
        workers = mill.workers()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        with connect(mill) as link:
            link.sendall(b"GET /conformance HTTP/1.0\r\n\r\n")
            os.kill(mill.pid, signal.SIGTERM)
            time.sleep(1)  # until they have been told to end, too
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            assert link.recv(12).endswith(b" 200")


def test_it_ends_in_time_whoever_does_not(settings: Settings) -> None:
    with serving(settings, stop_wait="2") as mill, connect(mill) as link:
        link.sendall(b"POST /processes/nap/execution HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{")
        time.sleep(0.5)
        begun = time.monotonic()
        os.kill(mill.pid, signal.SIGTERM)
        assert gone(mill.pid, 2 + SLACK)
        assert time.monotonic() - begun < 2 + SLACK


def test_the_second_ctrl_c_does_not_wait(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, stop_wait="60") as mill:
        thread = threading.Thread(target=quiet, args=(lambda: execute(mill, "hold", until=str(tmp_path / "go")),))
        thread.start()
        job_id = until(lambda: is_running(mill))
        os.kill(mill.pid, signal.SIGINT)
        time.sleep(1)
        os.kill(mill.pid, signal.SIGINT)
        assert gone(mill.pid, SLACK)
        thread.join()
        (tmp_path / "go").touch()
        assert mill.ended(job_id).status is Status.SUCCESSFUL


def quiet(call: Callable[[], Any]) -> None:
    """A request whose answer may not come."""
    try:
        call()
    except Exception as error:
        assert "urllib3" in type(error).__module__, error


def test_running_and_waiting_jobs_go_on_without_a_server(settings: Settings, tmp_path: Path) -> None:
    with serving(settings, max_running="1") as mill:
        running, waiting = mill.submit("hold", until=str(tmp_path / "go")), mill.submit("nap")
        mill.message(running, "holding")
        os.kill(mill.pid, signal.SIGTERM)
        assert gone(mill.pid, SLACK)
        assert mill.store.status(running).status is Status.RUNNING
        (tmp_path / "go").touch()
        assert {mill.ended(each).status for each in (running, waiting)} == {Status.SUCCESSFUL}
