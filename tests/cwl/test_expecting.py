"""The first job of a package need not wait for what its deployment could have had loaded."""

from __future__ import annotations

from pathlib import Path

from support.hostile import CWL, glob, tool
from support.mills import serving
from support.waiting import until

from geomill.app.config import Settings


def test_the_template_of_packages_is_there_as_soon_as_one_is_looked_at(tmp_path: Path) -> None:
    with serving(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")) as mill:
        document = tool("pass", {"o": glob("o")})
        reply = mill.call("POST", "/processes?dryRun=true&w=say", document, Content_Type=CWL)
        assert reply.status == 200, reply.data
        assert "cwl" in until(lambda: mill.engine.ask({"op": "hello"}, 5.0))["templates"]
