"""What comes back in a header is one value of it, whatever a client or a job put into that; and names are kept."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from api.conftest import trying
from support.mills import Mill

INJECTED = "x\r\nSet-Cookie: evil=1\r\n\r\n<script>"
EVIL = {
    "a new line": INJECTED,
    "a bare LF": "x\nSet-Cookie: evil=1",
    "a bare CR": "x\rSet-Cookie: evil=1",
    "a NUL": "x\0y",
    "an escape": "x\x1b[31m",
    "a line of Unicode": "x\u2028Set-Cookie: evil=1\u0085y",
    "letters that shrink to CR and LF": "x\u560d\u560aSet-Cookie: evil=1",
    "a quote": 'x"; filename="y.exe',
    "a backslash": "x\\",
    "a comma and an angle": 'x>; rel="next", <y',
    "a percent": "x%0d%0aSet-Cookie: evil=1",
    "a direction": "x\u202eexe.txt",
}


@pytest.fixture(scope="module")
def mill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server for the requests of this file."""
    with trying(tmp_path_factory.mktemp("mill")) as mill:
        yield mill


Reply = tuple[int, list[tuple[str, str]], bytes]


def ask(mill: Mill, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
    """Status, headers and body of an answer, read by its bytes; the headers are as HTTP wants them."""
    parts = urlsplit(mill.url)
    given = {"Host": "localhost", "Connection": "close", "Content-Length": str(len(body)), **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=30) as link:
        link.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        received = b"".join(iter(lambda: link.recv(65536), b""))
    head, _, content = received.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    assert all(re.fullmatch(rb"[A-Za-z0-9-]+: [\x20-\x7e]*", field) for field in fields), head
    named = [(name.lower(), value) for name, _, value in (field.decode().partition(": ") for field in fields)]
    assert [name for name, _ in named if name == "set-cookie"] == [], head
    return int(status.split()[1]), named, content


DISPOSITION = re.compile(
    r"""inline; filename=("([^"\\]|\\.)*"|[^\s";,]+)(; filename\*=UTF-8''[\w.%~!#$&+^`|-]+)?""", re.ASCII
)


def run(mill: Mill, name: str) -> str | None:
    """A job that gives a file of this name; None where no file can have it."""
    body = json.dumps({"inputs": {"name": name, "text": "content"}}).encode()
    status, headers, _ = ask(mill, "POST", "/processes/named/execution", body, Prefer="respond-async")
    assert status == 201
    job_id = dict(headers)["location"].rpartition("/")[2]
    return job_id if mill.ended(job_id).status.value == "successful" else None


@pytest.mark.parametrize("case", EVIL)
def test_the_name_of_a_file_stays_in_its_header(mill: Mill, case: str) -> None:
    job_id = run(mill, EVIL[case].replace("/", "_"))
    assert (job_id is None) == ("\0" in EVIL[case])
    if job_id is None:
        return
    status, headers, content = ask(mill, "GET", f"/jobs/{job_id}/results/result")
    assert (status, content) == (200, b"content")
    disposition = dict(headers)["content-disposition"]
    assert DISPOSITION.fullmatch(disposition)
    reference = {"result": {"transmissionMode": "reference"}}
    for style in ({"response": "raw", "outputs": reference}, {"response": "document"}, {}):
        body = json.dumps({"inputs": {"name": EVIL[case].replace("/", "_")}, **style}).encode()
        assert ask(mill, "POST", "/processes/named/execution", body)[0] in (200, 204)


NAMES = ["gr\xfcn.txt", "\u6c34\u9762 \U0001f30a.tif", "2 words.txt", "a'b (1).txt", "a;b,c.txt", "..txt", "1%.txt"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_any_language_is_kept(mill: Mill, name: str) -> None:
    job_id = run(mill, name)
    assert job_id
    _, headers, _ = ask(mill, "GET", f"/jobs/{job_id}/results/result")
    disposition = dict(headers)["content-disposition"]
    extended = re.search(r"filename\*=UTF-8''([^;]+)", disposition)
    plain = re.search(r'filename="?((?:[^"\\]|\\.)*)"?', disposition)
    assert plain and (unquote(extended[1]) if extended else re.sub(r"\\(.)", r"\1", plain[1])) == name
    assert ask(mill, "GET", f"/jobs/{job_id}/files/{quote(name)}")[::2] == (200, b"content")


ECHO = json.dumps({"inputs": {"echoInput": "x"}}).encode()


@pytest.mark.parametrize("case", EVIL)
def test_what_is_in_an_address_stays_out_of_headers(mill: Mill, case: str) -> None:
    evil = quote(EVIL[case], safe="")
    for method, path in (
        ("GET", f"/jobs/{evil}"), ("GET", f"/processes/{evil}"), ("GET", f"/problems/{evil}"), ("GET", f"/{evil}"),
        ("GET", f"/{evil}/ogc-api/jobs"), ("POST", f"/processes/{evil}/execution"), ("DELETE", f"/processes/{evil}"),
        ("PUT", f"/processes/{evil}"), ("GET", f"/?f={evil}"), ("GET", f"/jobs?limit=1&processID={evil}"),
        ("GET", f"/jobs?{evil}={evil}"), ("GET", f"/login?next={evil}"), ("GET", f"/login?next=/{evil}"),
        ("GET", f"/jobs?cursor={evil}"), ("POST", f"/processes?w={evil}"), ("OPTIONS", f"/jobs/{evil}"),
    ):  # fmt: skip
        status, headers, _ = ask(mill, method, path, ECHO if method in ("POST", "PUT") else b"")
        assert status < 500, (method, path)
        assert not [value for name, value in headers if name in ("location", "link") and "evil" in value.lower()]


SENT = {name: value for name, value in EVIL.items() if not re.search(r"[\r\n\0\x1b]", value) and value.isascii()}


@pytest.mark.parametrize("case", SENT)
def test_what_is_in_a_header_comes_back_in_none(mill: Mill, case: str) -> None:
    for name in ("Prefer", "Accept", "Range", "If_None_Match", "Idempotency_Key", "Origin", "Authorization", "Cookie",
                 "Access_Control_Request_Method", "Access_Control_Request_Headers", "X_Forwarded_Host", "Referer",
                 "X_Forwarded_Prefix", "X_Forwarded_Proto", "Accept_Language"):  # fmt: skip
        value = f"geomill={SENT[case]}" if name == "Cookie" else SENT[case]
        for method, path in (("GET", "/jobs"), ("OPTIONS", "/jobs"), ("POST", "/processes/echo/execution")):
            status, headers, _ = ask(mill, method, path, ECHO if method == "POST" else b"", **{name: value})
            assert status < 500, (name, method)
            assert SENT[case] not in [value for _, value in headers]


@pytest.mark.parametrize("prefer", ['return=minimal;a="b, c"', "respond-async, wait=3;x=y, evil=1"])
def test_what_was_honoured_of_a_preference_is_said_and_nothing_else(mill: Mill, prefer: str) -> None:
    status, headers, _ = ask(mill, "POST", "/processes/echo/execution", ECHO, Prefer=prefer)
    applied = dict(headers).get("preference-applied", "")
    assert status in (200, 201, 204) and "evil" not in applied and "x" not in applied.replace("minimal", "")


@pytest.mark.parametrize("case", EVIL)
def test_what_a_package_calls_itself_stays_out_of_headers(mill: Mill, case: str) -> None:
    evil = EVIL[case]
    port = {"schema": {"type": "string", "contentMediaType": evil}, "title": evil}
    description = {"id": evil, "title": evil, "version": evil, "outputs": {evil: port}, "inputs": {evil: port}}
    unit = {"value": {"cwlVersion": "v1.2", "class": "CommandLineTool", "id": evil, "baseCommand": "true", "inputs": [],
                      "outputs": {evil: {"type": "string", "format": evil}}}}  # fmt: skip
    for content_type, body in {
        "application/ogcapppkg+json": {"processDescription": description, "executionUnit": unit},
        "application/cwl+json": unit["value"],
    }.items():
        status, _, _ = ask(mill, "POST", "/processes", json.dumps(body).encode(), Content_Type=content_type)
        assert 400 <= status < 500
    assert all("evil" not in process["id"] for process in mill.call("GET", "/processes").json()["processes"])


def test_a_media_type_that_is_none_is_no_result(mill: Mill, tmp_path: Path) -> None:
    """Of what a job says of its outputs the supervisor believes no type that could end a header."""
    from geomill.app.engine.publishing import Unpublishable, publish

    begun = time.monotonic()
    for evil in (*EVIL.values(), "text/html\r\nSet-Cookie: a=b", "text/html; a=\u2028", "text/" + "a" * 10 + "\n"):
        with pytest.raises(Unpublishable, match="is no media type"):
            publish(tmp_path, {"a": {"value": 1, "media_type": evil}}, durable=False)
    assert time.monotonic() - begun < 5
