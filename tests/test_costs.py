"""What requests cost, counted."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Thread

import flask
import pytest
from support.calls import function_calls, given_back, needs_strace, traced
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.exchange.strictjson import loads
from geomill.app.server import Geomill

BIG = """
from pathlib import Path
from geomill.processes import process

@process
def big(size: int) -> Path:
    path = Path("big.bin")
    with open(path, "wb") as file:
        file.truncate(size)
        file.seek(size - 4)
        file.write(b"ends")
    return path
"""
LONG_AGO = 10.0  # seconds: a status that is older is known to be the one that was read


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    place = tmp_path_factory.mktemp("costs")
    (place / "mine").mkdir()
    (place / "mine" / "big.py").write_text(BIG)
    settings = Settings(home=place / "home", runtime_dir=place / "run", processes=(place / "mine",))
    with serving(settings, shared=True, workers="1") as mill:
        yield mill


@pytest.fixture(scope="module")
def job_id(mill: Mill) -> str:
    """A job that ended a while ago."""
    job_id = mill.submit("echo", echoInput="hello")
    mill.ended(job_id)
    status = mill.store.folder(job_id) / "status.json"
    before = time.time() - LONG_AGO
    os.utime(status, (before, before))
    while time.time() - status.stat().st_ctime < 2.1:  # nobody can set it
        time.sleep(0.05)
    return job_id


@pytest.mark.parametrize("path", ["/", "/processes", "/processes/echo", "/jobs/{job_id}"])
def test_an_answer_that_was_given_before_takes_little_more_than_bare_flask(
    mill: Mill, job_id: str, path: str
) -> None:
    path = path.format(job_id=job_id)
    ours, bare = Geomill(mill.settings), flask.Flask("bare")
    given = ours.test_client().get(path)
    bare.add_url_rule(path, view_func=lambda: flask.Response(given.data, headers=given.headers))
    calls = []
    for app in (ours, bare):
        client = app.test_client()
        assert client.get(path).data == given.data
        calls.append(function_calls(partial(client.get, path)))
    assert calls[0] < 2 * calls[1], f"{calls[0]} functions are called, and {calls[1]} by bare Flask"


@needs_strace
def test_a_status_that_was_read_before_is_not_opened_again(mill: Mill, job_id: str, tmp_path: Path) -> None:
    mill.status(job_id)
    with traced(mill.workers(), tmp_path / "trace") as calls:
        for _ in range(20):
            mill.status(job_id)
    assert not [text for name, text in calls if name == "openat" and job_id in text]
    looked = Counter(name for name, text in calls if "stat" in name and str(mill.settings.home) in text)
    assert 20 <= looked.total() <= 20 * 5, looked


@needs_strace
@pytest.mark.parametrize("asked, size", [(None, 2 * 10**8), ("bytes=50000000-", 15 * 10**7), ("bytes=-4", 4)])
def test_a_large_result_is_sent_by_the_kernel(mill: Mill, tmp_path: Path, asked: str | None, size: int) -> None:
    job_id = mill.submit("big", size=2 * 10**8)
    mill.ended(job_id)
    with traced(mill.workers(), tmp_path / "trace") as calls:
        reply = mill.call("GET", f"/jobs/{job_id}/results/result", **({"Range": asked} if asked else {}))
        mill.status(job_id)  # what sent it has returned from the kernel by then
    assert (reply.status, len(reply.data), reply.data[-4:]) == (206 if asked else 200, size, b"ends")
    assert given_back(calls, "sendfile") == size
    assert given_back(calls, "read", "pread64", "sendto", "write") < 100_000


def test_others_get_their_turns_while_a_large_body_is_read() -> None:
    place = {"type": "Point", "coordinates": [1.25, 2.5]}
    body = json.dumps({"inputs": [{"name": f"place {number}", "geometry": place} for number in range(100_000)]})
    turns, ended = 0, False

    def take_turns() -> None:
        nonlocal turns
        while not ended:
            time.sleep(0)
            turns += 1

    other = Thread(target=take_turns)
    other.start()
    before = turns
    try:
        assert len(loads(body.encode())["inputs"]) == 100_000
        assert turns - before > 10
    finally:
        ended = True
        other.join()
