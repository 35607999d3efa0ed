"""Packages written down and loaded as a job would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cwltool", reason="the extra cwl is not installed")

DOCUMENTS = Path(__file__).with_name("documents")


@pytest.fixture(scope="session", autouse=True)
def warm() -> None:
    """What the template of the jobs does once."""
    from geomill.app.cwl import loading

    loading.warm_up()


Load = Callable[..., Any]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a document, given as text or by the name of a file, as cwltool's process."""
    from geomill.app.cwl import document, loading

    def load(text: str, w: str | None = None) -> Any:
        path = tmp_path / "somewhere.cwl"
        path.write_bytes((DOCUMENTS / text).read_bytes() if text.endswith(".cwl") else text.encode())
        return loading.load(path, document.entry(document.parse(path.read_bytes()), w))

    return load


@pytest.fixture
def describe(load: Load) -> Load:
    """Describe a document, given as text or by the name of a file."""
    from geomill.app.cwl import description, document

    def describe(text: str, w: str | None = None) -> Any:
        parsed = document.parse((DOCUMENTS / text).read_bytes() if text.endswith(".cwl") else text.encode())
        chosen = document.entry(parsed, w)
        return description.describe(load(text, w), parsed, document.process_id(parsed, chosen, w))

    return describe
