"""The server's own log: what a client sends begins no line of it, and steers no terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from geomill.app.config import Settings
from geomill.app.server import Geomill

HEAD = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (?:WARNING|ERROR) \[\d+\] "
LINE = "2026-01-31T12:00:00.000+00:00 ERROR [1] forged"
EVIL = [f"%0A{LINE}", f"%0D%0A{LINE}", "%1b]0;forged%07", "%c2%9b31m", "%e2%80%ae"]


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the log without their heads, which all have."""
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    found = [re.fullmatch(f"{HEAD}(.*)", line) for line in lines]
    assert None not in found, lines
    return [line[1] for line in found if line]


@pytest.mark.parametrize("evil", EVIL)
def test_a_request_for_a_home_that_is_gone_is_a_line(
    client: FlaskClient, settings: Settings, capsys: pytest.CaptureFixture[str], evil: str
) -> None:
    settings.home.rename(settings.home.with_name("away"))
    assert client.get(f"/problems/{evil}").status_code == 404
    assert client.get(f"/jobs/{evil}").status_code in (404, 503)
    assert client.get(f"/processes/{evil}").status_code == 503
    lines = said(capsys)
    begun = [line for line in lines if not line.startswith("    ")]
    assert begun and all(line.startswith("the home cannot be used at GET") for line in begun)
    assert all(each.isprintable() for line in lines for each in line)


def test_a_traceback_is_indented_below_its_line(app: Geomill, capsys: pytest.CaptureFixture[str]) -> None:
    @app.get("/broken/<text>")
    def broken(text: str) -> str:
        raise RuntimeError(text)

    app.test_client().get("/broken/a%0A[20forged%1b[31m", environ_overrides={"geomill.local": True})
    lines = said(capsys)
    assert "unexpected error at GET /broken/a" in lines[0]
    assert [line for line in lines[1:] if not line.startswith("    ")] == []
    assert "    RuntimeError: a" in lines and lines[-1] == "    [20forged\\x1b[31m"


def test_what_is_logged_elsewhere_is_written_alike(
    app: Geomill, client: FlaskClient, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = settings.home.parent / "a\x1b[31m\nname"
    folder.write_text("")
    app.audit.path = Path(folder, "audit.jsonl")
    client.delete("/processes/none")
    (line, rest) = said(capsys)
    assert "\\x1b[31m" in line and rest.startswith("    name/")
