"""curl as people write it, against a real server."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any

import pytest
from support.mills import Mill

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")

ECHO = "/processes/echo/execution"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Reply:
    """An answer. redirects: how many curl followed."""

    status: int
    redirects: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Curl = Callable[..., Reply]


@pytest.fixture
def curl(mill: Mill, tmp_path: Path) -> Curl:
    """Runs curl where there is a request.json, for a path of the server."""
    (tmp_path / "request.json").write_text('{"inputs": {"echoInput":\n  "hi"}}')
    told = "%{http_code} %{num_redirects}"

    def run(path: str, *options: str) -> Reply:
        body = tmp_path / "body"
        body.unlink(missing_ok=True)
        words = ["curl", "-sS", "-m", "60", "-D", "head", "-o", "body", "-w", told, *options, mill.url + path]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        status, redirects = done.stdout.split()
        final = (tmp_path / "head").read_text().strip().split("\n\n")[-1]  # after "100 Continue"
        content = body.read_bytes() if body.exists() else b""
        return Reply(int(status), int(redirects), Parser().parsestr(final.partition("\n")[2]), content)

    return run


FORMS = [
    ["-d", '{"inputs": {"echoInput": "hi"}}'],
    ["-d", "@request.json"],
    ["-d", "@request.json", "-H", "Content-Type: application/json"],
    ["-d", "@request.json", "-H", "Content-Type:"],
    ["-d", "@request.json", "-H", "Content-Type: text/plain"],
    ["-d", "@request.json", "-H", "Content-Type: application/json; charset=utf-8"],
    ["-d", "@request.json", "-H", "Transfer-Encoding: chunked"],
    ["-d", "@request.json", "-H", "Expect: 100-continue"],
    ["-d", "@request.json", "--compressed"],
    ["-d", "@request.json", "-L"],
    ["-d", "@request.json", "-0"],
    ["-d", "@request.json", "--http2"],
    ["-d", "@request.json", "-H", "Accept:"],
    ["-d", "@request.json", "-H", "Accept: application/json"],
    ["-d", "@request.json", "-A", ""],
    ["--data-binary", "@request.json"],
    ["-T", "request.json", "-X", "POST"],
]


@pytest.mark.parametrize("options", FORMS, ids=" ".join)
def test_a_body_is_read_however_it_is_sent(curl: Curl, options: list[str]) -> None:
    reply = curl(ECHO, *options)
    assert (reply.status, reply.json()) == (200, {"echoInput": "hi"})
    assert reply.headers["Connection"] == ("close" if "-0" in options else "keep-alive")


@pytest.mark.parametrize(
    "options",
    [
        ["-F", "body=@request.json"],
        ["-F", 'inputs={"echoInput": "hi"}'],
        ["-d", "echoInput=hi"],
        ["--data-urlencode", 'inputs={"echoInput": "hi"}'],
        ["-d", "{'inputs': {'echoInput': 'hi'}}"],
        ["-d", ""],
    ],
    ids=" ".join,
)
def test_what_is_no_json_is_refused_with_what_to_send(curl: Curl, options: list[str]) -> None:
    reply = curl(ECHO, *options)
    assert (reply.status, reply.headers.get_content_type()) == (400, "application/json")
    assert 'Send a JSON object such as {"inputs": {...}}.' in reply.json()["detail"]


def test_a_put_is_told_what_there_is_instead(curl: Curl) -> None:
    reply = curl(ECHO, "-T", "request.json")
    assert (reply.status, set(reply.headers["Allow"].split(", "))) == (405, {"POST", "OPTIONS"})
    assert "has no PUT" in reply.json()["detail"]


@pytest.mark.parametrize("framing", ["Expect: 100-continue", "Expect:", "Transfer-Encoding: chunked"])
def test_a_large_body_is_read_and_one_that_is_too_large_refused(curl: Curl, framing: str, tmp_path: Path) -> None:
    text, larger = "x" * 3 * MEGABYTE, tmp_path / "larger.json"
    larger.write_text(json.dumps({"inputs": {"echoInput": text}}))
    read = curl(ECHO, "-d", "@larger.json", "-H", framing)
    assert (read.status, read.json()["echoInput"]["file:size"]) == (200, len(json.dumps(text)))
    larger.write_bytes(b" " * 11 * MEGABYTE + b"{}")
    refused = curl(ECHO, "--data-binary", "@larger.json", "-H", framing)
    assert (refused.status, "10000000 bytes" in refused.json()["detail"]) == (413, True)


@pytest.mark.parametrize("path", ["", "/", "/processes/", "//processes", "/processes/echo/", "/ogc-api/processes"])
def test_there_is_nothing_to_follow(curl: Curl, path: str) -> None:
    reply = curl(path, "-L")
    assert (reply.status, reply.redirects, reply.headers.get_content_type()) == (200, 0, "application/json")


@pytest.mark.parametrize("path", ["/", "/conformance", "/api", "/processes", "/processes/echo", "/jobs"])
def test_a_head_is_that_of_a_get(curl: Curl, path: str) -> None:
    head, whole = curl(path, "-I"), curl(path)
    assert (head.status, whole.status) == (200, 200)
    for name in ("Content-Type", "Content-Length", "ETag", "Vary"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "prefer, applied",
    [
        (["respond-async;return=representation"], "respond-async;return=representation"),
        (["respond-async, return=minimal"], "respond-async, return=minimal"),
        (["respond-async", "return=minimal"], "respond-async,return=minimal"),
        (["RESPOND-ASYNC"], "RESPOND-ASYNC"),
    ],
)
def test_a_job_is_followed_dismissed_and_removed(curl: Curl, mill: Mill, prefer: list[str], applied: str) -> None:
    headers = [word for each in prefer for word in ("-H", f"Prefer: {each}")]
    reply = curl(ECHO, "-d", '{"inputs": {"echoInput": "hi", "pause": 600}}', *headers)
    assert (reply.status, reply.headers["Preference-Applied"]) == (201, applied)
    job = reply.headers["Location"].removeprefix(mill.url)
    assert job == f"/jobs/{reply.json()['jobID']}"
    assert curl(job).json()["status"] in ("accepted", "running")
    assert job in {f"/jobs/{each['jobID']}" for each in curl("/jobs", "-G", "-d", "limit=1").json()["jobs"]}
    assert (curl(f"{job}/results").status, curl(job, "-X", "DELETE").json()["status"]) == (404, "dismissed")
    assert (curl(job, "-X", "DELETE").json()["status"], curl(job).status) == ("dismissed", 404)


def test_a_file_is_had_whole_in_part_and_under_its_name(curl: Curl, mill: Mill, tmp_path: Path) -> None:
    job_id = mill.submit("echo", echoInput="hi", imageInput="SUkqAA==")
    mill.ended(job_id)
    image = f"/jobs/{job_id}/results/imageInput"
    assert (curl(image).body, curl(image, "-r", "0-1").body, curl(image, "-r", "0-1").status) == (b"II*\0", b"II", 206)
    subprocess.run(["curl", "-sSOJ", f"{mill.url}{image}"], cwd=tmp_path, check=True, timeout=60)
    (kept,) = tmp_path.glob("*.tif*")
    assert kept.read_bytes() == b"II*\0"
    kept.write_bytes(b"II")  # as if the connection had broken
    subprocess.run(
        ["curl", "-sS", "-C", "-", "-o", kept.name, f"{mill.url}{image}"], cwd=tmp_path, check=True, timeout=60
    )
    assert kept.read_bytes() == b"II*\0"


def test_what_has_not_changed_is_not_sent_again(curl: Curl) -> None:
    first = curl("/processes/echo", "--etag-save", "etag")
    again = curl("/processes/echo", "--etag-compare", "etag")
    assert (first.status, again.status) == (200, 304)
