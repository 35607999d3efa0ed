"""The documentation says what the code does: settings, links, examples."""

from __future__ import annotations

import re
import sys
from dataclasses import MISSING, Field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from geomill.app.config import NOT_SETTINGS, PREFIX, Settings, known
from geomill.jobstore import store
from geomill.processes import Declaration
from geomill.processes import __all__ as taught
from geomill.processes.describe import functions
from geomill.processes.description import describe
from geomill.processes.hints import declaration

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = (ROOT / "docs/configuration.md").read_text()
WRITING = (ROOT / "docs/writing-processes.md").read_text()
OPERATING = (ROOT / "docs/operating.md").read_text()


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table below this head row, a list of cells each."""
    rows = page[page.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


SETTINGS = table(CONFIGURATION, "| variable |")


def test_every_setting_is_in_the_table_in_order() -> None:
    assert [row[0] for row in SETTINGS] == [f"`{PREFIX}{each.name.upper()}`" for each in known()]


def test_every_setting_is_explained_as_the_command_explains_it() -> None:
    assert [row[3] for row in SETTINGS] == [each.metadata["help"] for each in known()]


def test_a_setting_has_the_unit_that_the_table_says() -> None:
    stated = [(row[1], each.metadata["unit"]) for each, row in zip(known(), SETTINGS, strict=True)]
    assert all(said == unit if unit else said for said, unit in stated)


CONSTANT = [(each, row) for each, row in zip(known(), SETTINGS, strict=True) if each.default is not MISSING]


@pytest.mark.parametrize("setting, row", CONSTANT, ids=lambda value: getattr(value, "name", ""))
def test_a_setting_has_the_default_that_the_table_says(setting: Field[Any], row: list[str]) -> None:
    if setting.default in (None, ()):
        assert row[2] == "none"
    else:
        assert setting.metadata["kind"].parse(row[2].strip("`"), Path("/")) == setting.default


def test_folders_are_where_the_table_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shared, plain = (Settings.load({"HOME": "/ann", **more}) for more in ({"XDG_DATA_HOME": "/data"}, {}))
    assert (shared.home, plain.home) == (Path("/data/geomill"), Path("/ann/.local/share/geomill"))
    assert "`$XDG_DATA_HOME/geomill`, else `~/.local/share/geomill`" in SETTINGS[0][2]
    patterns = re.sub("<[a-z ]+>", "[0-9a-f]+", SETTINGS[1][2])
    assert any(re.fullmatch(one, str(plain.runtime_dir)) for one in re.findall("`(.*?)`", patterns))


def test_variables_that_are_no_settings_are_named() -> None:
    assert all(f"`{name}`" in CONFIGURATION for name in NOT_SETTINGS)


def test_every_option_of_a_process_is_in_its_table_with_its_default() -> None:
    rows = table(WRITING, "| option |")
    assert [row[0] for row in rows] == [f"`{name}`" for name in Declaration._fields]
    for (_, default, _), value in zip(rows, Declaration(), strict=True):
        if default.startswith("`") and not default.startswith("`GEOMILL"):
            assert re.fullmatch("`(.*)`", default) and eval(default.strip("`")) == value


@pytest.mark.parametrize("name", taught)
def test_what_authors_may_import_is_explained(name: str) -> None:
    assert re.search(rf"`[^`\n]*\b{name}\b[^`\n]*`", WRITING)


LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text())]


@pytest.mark.parametrize("page, link", LINKS, ids=lambda value: getattr(value, "name", value))
def test_a_link_leads_somewhere(page: Path, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    assert target.exists()
    assert not anchor or anchor in anchors(target)


def anchors(page: Path) -> list[str]:
    """What a link into a page may end in: its headings, as GitHub spells them."""
    headings = re.findall("^#+ (.*)$", page.read_text(), re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings]


def examples(page: Path) -> list[str]:
    """The blocks of Python in a page."""
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


EXAMPLES = [(page.name, block) for page in PAGES for block in examples(page)]


@pytest.mark.parametrize("page, block", EXAMPLES, ids=lambda value: value.splitlines()[0])
def test_an_example_has_processes_that_can_be_described(page: str, block: str) -> None:
    module = ModuleType("example")
    sys.modules["example"] = module
    try:
        exec(compile(block, page, "exec", dont_inherit=True), vars(module))
        found = functions(module)
        described = [describe(function)["description"] for function in found.values()]
    finally:
        del sys.modules["example"]
    assert described
    assert all(description["title"] and description["version"] for description in described)
    assert all(declaration(function) for function in found.values())


def test_every_file_of_a_job_is_in_the_table() -> None:
    (listed,) = re.findall(r"<jobID>/\n +(.*)\n", store.__doc__ or "")
    assert sorted(row[0].strip("`") for row in table(OPERATING, "| in a job's folder |")) == sorted(listed.split())
