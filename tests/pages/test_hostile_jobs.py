"""The page of a job, whatever the job wrote: its events, the names of its logs; and where its files are torn."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.markup import check_page
from support.stores import bring_to, create

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.server import Geomill
from geomill.jobstore import Status

WICKED = "<script>alert(1)</script>\u202e\x1b[31m"
TIMES = ("2026-01-31T12:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-31")


@pytest.fixture
def app(tmp_path: Path) -> Geomill:
    (tmp_path / "home").mkdir()
    return create_app(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run"))


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def failed(app: Geomill) -> tuple[str, Path]:
    """A job that failed, and its folder."""
    job_id = create(app.jobs, durable=False)
    bring_to(app.jobs, job_id, Status.FAILED)
    return job_id, app.jobs.folder(job_id)


def test_what_a_job_says_of_its_steps_is_text(client: FlaskClient, failed: tuple[str, Path]) -> None:
    job_id, folder = failed
    events: list[dict[str, Any]] = [
        {"event": event, "step": f"{WICKED} {number}", "time": time, "seconds": -1.5, "peak_memory": 10**18}
        for number, time in enumerate(TIMES)
        for event in ("started", "ended")
    ]
    events += [{"event": "ended", "step": "\ud800", "time": TIMES[0], "outcome": WICKED, "exit_code": -(10**30)}]
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    (folder / "logs").mkdir()
    (folder / "logs" / f"{WICKED.replace('/', '')} 0.log").write_bytes(WICKED.encode() + b"\xff\x00\n")
    (folder / "logs" / b"\xff\xfe.log".decode(errors="surrogateescape")).write_bytes(b"text")
    for query in ("", "?log=log", "?log=..%2F..%2Fstatus.json", "?log=%FF%FE.log", "?said=%3Cb%3E"):
        answer = client.get(f"/jobs/{job_id}{query}", headers={"Accept": "text/html"})
        assert answer.status_code == 200, query
        check_page(answer)
        assert "<script>alert" not in answer.text and "\x1b" not in answer.text


def test_a_job_of_very_many_steps_has_a_page_of_a_bounded_size(client: FlaskClient, failed: tuple[str, Path]) -> None:
    job_id, folder = failed
    lines = [{"event": "ended", "step": f"step {number}", "time": TIMES[0]} for number in range(5000)]
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    (folder / "log").write_bytes(b"\x00<" * 1_000_000)
    answer = client.get(f"/jobs/{job_id}", headers={"Accept": "text/html"})
    assert answer.status_code == 200 and len(answer.data) < 300_000
    assert "200 of 5000, the latest" in answer.text


BROKEN: dict[str, Callable[[Path], object]] = {
    "job.json": lambda folder: (folder / "job.json").write_bytes(b"{"),
    "request.json": lambda folder: (folder / "request.json").write_bytes(b"\xff"),
    "results.json": lambda folder: (folder / "results.json").write_bytes(b"[]"),
    "events.jsonl": lambda folder: (folder / "events.jsonl").write_bytes(b"\xff\n[]\n{}\n"),
    "logs": lambda folder: (folder / "logs").write_bytes(b""),
    "no request": lambda folder: (folder / "request.json").unlink(),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("status", [Status.SUCCESSFUL, Status.FAILED])
def test_what_is_torn_is_left_out(client: FlaskClient, app: Geomill, status: Status, broken: str) -> None:
    job_id = create(app.jobs, durable=False)
    bring_to(app.jobs, job_id, status)
    BROKEN[broken](app.jobs.folder(job_id))
    answer = client.get(f"/jobs/{job_id}", headers={"Accept": "text/html"})
    as_json = client.get(f"/jobs/{job_id}")
    assert (answer.status_code == 200) == (as_json.status_code == 200), (answer.text, as_json.data)
    check_page(answer)
