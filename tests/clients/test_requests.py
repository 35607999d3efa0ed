"""requests, which gives a body in many forms, against a real server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.mills import Mill

requests = pytest.importorskip("requests")

BODY = {"inputs": {"echoInput": "hi", "numbersInput": [1, 2]}}
TEXT = json.dumps(BODY)
READ: dict[str, Callable[[], dict[str, Any]]] = {
    "json": lambda: {"json": BODY},
    "text": lambda: {"data": TEXT},
    "bytes": lambda: {"data": TEXT.encode()},
    "a file": lambda: {"data": io.BytesIO(TEXT.encode())},
    "a generator": lambda: {"data": iter([TEXT[:9].encode(), TEXT[9:].encode()])},
}
FORMS: dict[str, dict[str, Any]] = {
    "a form": {"data": BODY},
    "a form of text": {"data": {"inputs": TEXT}},
    "a form of files": {"files": {"file": ("request.json", TEXT)}},
    "nothing": {},
}


@pytest.mark.parametrize("form", READ)
def test_a_body_is_read_in_every_form(mill: Mill, form: str) -> None:
    answer = requests.post(f"{mill.url}/processes/echo/execution", **READ[form](), timeout=60)
    assert (answer.status_code, answer.json()) == (200, BODY["inputs"])
    assert answer.history == []


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_no_request(mill: Mill, form: str) -> None:
    answer = requests.post(f"{mill.url}/processes/echo/execution", **FORMS[form], timeout=60)
    assert (answer.status_code, "Send a JSON object" in answer.json()["detail"]) == (400, True)


def test_a_session_sees_a_job_from_its_beginning_to_its_end(mill: Mill) -> None:
    with requests.Session() as session:
        now = session.post(f"{mill.url}/processes/echo/execution", json=BODY, timeout=60)
        job = now.links["monitor"]["url"]
        assert session.get(job, timeout=60).json()["status"] == "successful"
        results = session.get(f"{job}/results", headers={"Prefer": "return=minimal"}, timeout=60).json()
        assert session.get(results["numbersInput"]["href"], timeout=60).json() == [1, 2]
        later = {"inputs": {"echoInput": "hi", "pause": 600}}
        running = session.post(
            f"{mill.url}/processes/echo/execution", json=later, headers={"Prefer": "respond-async"}, timeout=60
        )
        addresses = [running.headers["Location"], job]
        for address in addresses:
            assert session.delete(address, timeout=60).json()["status"] == "dismissed"
        assert [session.get(address, timeout=60).status_code for address in addresses] == [200, 404]


@pytest.mark.parametrize("how", ["files", "data"])
def test_a_file_is_sent_as_an_input(mill: Mill, how: str) -> None:
    given = {"files": {"file": ("dot.tif", b"II*\0")}} if how == "files" else {"data": b"II*\0"}
    upload = requests.post(f"{mill.url}/uploads", params={"name": "dot.tif"}, **given, timeout=60)
    assert upload.status_code == 201, upload.text
    inputs = {"echoInput": "hi", "imageInput": {"href": upload.json()["href"]}}
    answer = requests.post(
        f"{mill.url}/processes/echo/execution", json={"inputs": inputs, "outputs": {"imageInput": {}}}, timeout=60
    )
    assert (answer.content, answer.headers["Content-Type"]) == (b"II*\0", "image/tiff")
