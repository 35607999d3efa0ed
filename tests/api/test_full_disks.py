"""A disk without room is said in a log, once for many."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.waiting import until

from geomill.app import create_app, errors
from geomill.app.config import Settings
from geomill.app.engine.runtime import LOG
from geomill.app.loglines import Seldom
from geomill.app.server import Geomill


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is long since a line about a full disk."""
    monkeypatch.setattr(errors, "_of_full_disks", Seldom())


def test_what_is_refused_for_want_of_room_is_said_once(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    client = create_app(replace(settings, min_free_bytes=2**62)).test_client()
    for _ in range(3):
        assert client.post("/processes/echo/execution", json={"inputs": {"echoInput": "hi"}}).status_code == 507
    (said,) = (record.getMessage() for record in caplog.records)
    assert said == f"no room at POST /processes/echo/execution: less than {2**62} bytes are free where jobs are kept"


def test_a_job_that_failed_for_want_of_room_is_said(
    worker: FlaskClient, working: Geomill, finished: Callable[[str, Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    job = finished("fail", {"inputs": {"how": "disk"}})
    job_id = job.rpartition("/")[2]
    log = working.settings.runtime_dir / LOG
    # or another one's, if that was within the last minute: the dispatcher is that of other tests, too
    until(lambda: re.search(r"job \S+ of tenant default failed: ", log.read_text()))
    assert worker.get(f"{job}/results").status_code == 503
    assert f"no room at GET /jobs/{job_id}/results" in caplog.text
