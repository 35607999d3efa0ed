"""-i name=@path: small files go into the request, others are sent first where the service takes any."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from geomill.app.cli.inputs import parse
from geomill.client import InputError
from geomill.client.inputs import SMALL
from geomill.client.sending import Sending

BYTES = {"type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream"}
SENT = "http://example.org/uploads/1"


@pytest.mark.parametrize(
    "schema, media_type",
    [
        (BYTES, "application/octet-stream"),
        ({"oneOf": [{**BYTES, "contentMediaType": kind} for kind in ("image/tiff", "text/csv")]}, "text/csv"),
        ({"type": "object"}, "application/json"),
        ({"type": "string"}, "text/plain"),
    ],
)
def test_a_file_that_is_not_small_is_sent(tmp_path: Path, schema: dict[str, object], media_type: str) -> None:
    path, sent = tmp_path / "a.csv", []

    def send(*file: object) -> str:
        sent.append(file)
        return SENT

    for size in (SMALL, SMALL + 1):
        path.write_text('"' + "x" * (size - 2) + '"')
        found = parse([f"a=@{path}"], {"inputs": {"a": {"schema": schema}}}, send)
    assert (found, sent) == ({"a": {"href": SENT, "type": media_type}}, [(path, media_type)])


def test_each_file_of_an_array_is_sent(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (SMALL + 1))
    schema = {"type": "array", "items": BYTES}
    found = parse([f"a=@{tmp_path}/a"] * 2, {"inputs": {"a": {"schema": schema}}}, lambda *_: SENT)
    assert found == {"a": [{"href": SENT, "type": "application/octet-stream"}] * 2}


def test_where_nothing_can_be_sent_it_is_inline(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * (SMALL + 1))
    known = {"inputs": {"a": {"schema": BYTES}, "b": {"schema": BYTES, "valuePassing": ["byValue"]}}}
    assert "value" in parse([f"a=@{tmp_path}/a"], known)["a"]
    assert "value" in parse([f"b=@{tmp_path}/a"], known, lambda *_: SENT)["b"]


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        parse([f"a=@{tmp_path}/none"], {"inputs": {"a": {"schema": BYTES}}})


@pytest.mark.parametrize("remote", [False, True])
def test_a_large_file_reaches_the_process(shell, place, serving, tmp_path: Path, remote: bool) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * 12_000_000)  # more than a request may have
    where = {"GEOMILL_SERVER": serving} if remote else {}
    done = shell("processes", "execute", "measure", "-i", f"file=@{tmp_path}/big.bin", **where)
    assert (done.returncode, "12000000" in done.stdout) == (0, True), done.stderr
    job_id = re.findall(r"Job (\S+)", done.stderr)[0]
    request = Path(place["GEOMILL_HOME"], "default/jobs", job_id[:7], job_id, "request.json").read_text()
    assert "/uploads/" in request


def test_a_service_without_uploads_gets_it_inline(stranger, geomill, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * (SMALL + 1))
    server = stranger(description={"id": "double", "inputs": {"file": {"schema": BYTES}}})
    assert geomill("processes", "execute", "double", "--server", server.url, "-i", f"file=@{path}").exit_code == 0
    (request,) = [seen[3] for seen in server.seen if seen[0] == "POST"]
    assert request["inputs"]["file"]["encoding"] == "base64"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_sent_is_shown_on_a_terminal() -> None:
    stream = Terminal()
    file = Sending(io.BytesIO(b"x" * 100), "a\x1b[31m.tif", 100, stream)
    assert b"".join(iter(lambda: file.read(40), b"")) == b"x" * 100
    assert re.sub(r"\r\x1b\[K", "|", stream.getvalue()) == (
        "|sending a[31m.tif [############------------------]  40 %"
        "|sending a[31m.tif [########################------]  80 %|"
    )
    silent = io.StringIO()
    Sending(io.BytesIO(b"x"), "a", 1, silent).read()
    assert silent.getvalue() == ""
