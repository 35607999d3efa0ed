"""The page about the client, and what the README says of it, are true: their examples are run one after the other."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from support.documented import ADDRESS, JOB, README, ROOT, blocks, commands, first, place, started

PAGE = (ROOT / "docs/python-client.md").read_text()
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.mark.parametrize(
    "page, serve",
    [
        pytest.param(README, first("serve").line, id="readme"),
        pytest.param(PAGE, commands(blocks("console", PAGE)[0])[0].line, id="page"),
    ],
)
def test_the_examples_give_what_the_page_shows(
    page: str, serve: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with place("python") as here:
        with started(f"{serve} --port 0", here) as (_, address):
            monkeypatch.chdir(here.folder)
            failed, tried = run(page.replace(ADDRESS, address))
    assert (failed, tried > 0) == (0, True), capsys.readouterr().out


def run(page: str) -> tuple[int, int]:
    """How many examples of a page fail, and how many there are; ids and times are open."""
    shown = re.sub(f"{JOB}|{MOMENT}", "...", "\n".join(blocks("pycon", page)))
    examples = doctest.DocTestParser().get_doctest(shown, {}, "page", None, None)
    return doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(examples)
