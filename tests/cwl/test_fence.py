"""What cwltool may list of a job's folder: links of it are followed, but not for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("cwltool")

from cwltool.errors import WorkflowException  # noqa: E402
from cwltool.utils import CWLObjectType, get_listing  # noqa: E402

from geomill.app.cwl.fence import Fence, FencedAccess  # noqa: E402

CIRCLES = {
    "up": {"d/up": ".."},
    "to itself": {"d/itself": "."},
    "two that lead to each other": {"d/e": "../e", "e/d": "../d"},
    "two, and one to itself": {"d/e": "../e", "e/d": "../d", "e/e": "."},
}


def listed(root: Path, links: dict[str, str]) -> CWLObjectType:
    """A directory with such links, as cwltool lists it."""
    for name, target in links.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(target)
    directory: CWLObjectType = {"class": "Directory", "location": f"file://{root}"}
    get_listing(FencedAccess(Fence(root)), directory)
    return directory


@pytest.mark.parametrize("links", CIRCLES.values(), ids=CIRCLES)
def test_a_circle_ends_where_it_closes(tmp_path: Path, links: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    looked, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: looked.append(path) or listdir(path))
    with pytest.raises(WorkflowException, match="the link [a-z]+ leads to where it is in"):
        listed(tmp_path, links)
    assert len(looked) < 10  # the kernel follows forty links, and there may be two ways at each


def test_links_that_lead_beside_are_followed(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "file").write_text("1")
    names = str(listed(tmp_path, {"d/one": "../e", "d/two": "one", "d/file": "../e/file"}))
    assert [names.count(each) for each in ("d/one/file", "d/two/file", "d/file")] == [1, 1, 1]
