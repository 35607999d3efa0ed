"""Who reads what a job wrote: what is within his reach, and what becomes of it when he does not end."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from geomill.app.config import Settings
from geomill.app.engine import isolation, viewer

NOBODY = "nobody"


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "result.tif"
    path.write_bytes(b"hello")
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


@pytest.fixture
def seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, descriptor: int
) -> Callable[[Callable[[int], Any]], dict[str, Any]]:
    """What a reader that does something says."""

    def see(do: Callable[[int], Any], **more: Any) -> dict[str, Any]:
        monkeypatch.setattr(viewer, "_see", lambda opened, asked: ({"done": do(opened)}, b""))
        settings = Settings(home=tmp_path, runtime_dir=tmp_path, **more)
        return viewer._looked(descriptor, viewer.Asked((0, 0)), "value", settings)[0]

    return see


def reach(descriptor: int) -> dict[str, Any]:
    """What a process can do."""
    found: dict[str, Any] = {"uid": os.geteuid(), "read": os.pread(descriptor, 9, 0).decode()}
    found["open"] = len(isolation.descriptors())
    found["out"] = socket.if_nameindex() and [name for _, name in socket.if_nameindex()]
    for name, act in {"fork": os.fork, "write": lambda: Path("/tmp/geomill-viewer-was-here").write_text("x")}.items():
        try:
            found[name] = act()
            if found[name] == 0:
                os._exit(0)
        except OSError as error:
            found[name] = error.strerror
    try:
        found["memory"] = len(bytearray(viewer.MEMORY * 2))
    except MemoryError:
        found["memory"] = "none"
    return found


def test_a_reader_has_the_file_and_a_pipe(seen: Callable[..., dict[str, Any]]) -> None:
    user = {"job_user": NOBODY} if os.geteuid() == 0 else {}
    found = seen(reach, **user)["done"]
    Path("/tmp/geomill-viewer-was-here").unlink(missing_ok=True)
    assert found["read"] == "hello" and found["memory"] == "none"
    assert found["open"] == 5  # three that lead nowhere, the file, the pipe
    if os.geteuid() == 0:
        assert found["uid"] != 0 and found["out"] == ["lo"]
        assert isinstance(found["fork"], str)  # no process but this one


@pytest.mark.parametrize("end", ["signal", "silent", "late", "much"])
def test_a_reader_that_ends_badly_is_no_answer(
    seen: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setitem(viewer.SECONDS, "value", 0.2)
    begun = time.monotonic()
    ways: dict[str, Callable[[int], Any]] = {
        "signal": lambda _: os.kill(os.getpid(), 9),
        "silent": lambda _: os._exit(0),
        "late": lambda _: time.sleep(60),
        "much": lambda _: "x" * (viewer.MOST + 1),
    }
    said = seen(ways[end])
    assert set(said) == {"error", "late"} if end == "late" else {"error"}
    assert "too large" in said["error"]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"{", b"[]\n", b"5\n", b'{"said": 5, "size": 0}\n', b'{"said": {}}\n', b'{"said": {}, "size": 3}\nab',
     b'{"said": {}, "size": 5}\n<svg>', b"[" * 100_000, b"\xff\n"],
)  # fmt: skip
def test_what_makes_no_sense_is_no_answer(content: bytes) -> None:
    assert viewer._parsed(content) == ({"error": viewer.BROKEN}, b"")


def test_an_answer_is_a_line_and_a_picture() -> None:
    picture = viewer.PNG + b"\n\n"
    head = json.dumps({"said": {"a": 1}, "size": len(picture)}).encode()
    assert viewer._parsed(head + b"\n" + picture) == ({"a": 1}, picture)
