"""The documentation says what the code does: settings, resources, errors, links, examples."""

from __future__ import annotations

import re
import sys
from dataclasses import MISSING, Field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from geomill.app import create_app, errors, openapi
from geomill.app.config import NOT_SETTINGS, PREFIX, Settings, known
from geomill.app.errors import PART_1, PART_2
from geomill.app.exchange.package import ACCEPTED
from geomill.app.sandbox.images import KEYS
from geomill.app.schemas import (
    DeployQuery,
    EventsQuery,
    ExecuteSchema,
    JobsQuery,
    LogsQuery,
    PackageQuery,
    ProcessesQuery,
    ResultsQuery,
    StatusInfoSchema,
    UploadQuery,
)
from geomill.jobstore import Status, StatusInfo, store
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
API = (ROOT / "docs/api.md").read_text()
DEPLOYING = (ROOT / "docs/deploying-packages.md").read_text()
README = (ROOT / "README.md").read_text()


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table below this head row, a list of cells each."""
    rows = page[page.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def names(cell: str) -> list[str]:
    """What stands between backquotes in a cell."""
    return re.findall("`(.*?)`", cell)


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
    if setting.default in (None, (), ""):
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


def test_every_key_of_the_image_map_is_in_its_table() -> None:
    assert [row[0] for row in table(OPERATING, "| key |")] == [f"`{name}`" for name in KEYS]


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


CALLING = ROOT / "docs/clients.md"  # its code calls a server; tests/clients run it
EXAMPLES = [(page.name, block) for page in PAGES if page != CALLING for block in examples(page)]


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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """The resources of a server, and the methods of each."""
    home = tmp_path_factory.mktemp("home")
    app = create_app(Settings.load({}, {"home": str(home), "runtime_dir": str(home / "run")}))
    return {(path, method.upper()) for path, methods in openapi.paths(app).items() for method in methods}


def test_every_resource_is_on_the_page_about_the_api(served: set[tuple[str, str]]) -> None:
    rows = table(API, "| resource | method |")
    assert sorted((path.strip("`"), method) for path, method, _ in rows) == sorted(served)


def test_every_resource_is_in_the_readme(served: set[tuple[str, str]]) -> None:
    rows = table(README, "| resource |")
    told = [
        (path, method)
        for paths, methods in rows
        for path in names(paths)
        for method in re.findall("[A-Z]{3,}", methods)
    ]
    assert sorted(told) == sorted(served)


QUERIES = {
    "/processes": ProcessesQuery, "/processes/{processID}/package": PackageQuery, "/uploads": UploadQuery,
    "/jobs": JobsQuery,
    "/jobs/{jobID}/results": ResultsQuery, "/jobs/{jobID}/logs": LogsQuery,
    "/jobs/{jobID}/events": EventsQuery,
}  # fmt: skip


def test_every_query_parameter_is_on_the_page_about_the_api() -> None:
    told = {path.strip("`"): parameters for path, parameters in table(API, "| resource | query")}
    assert {path: names(parameters) for path, parameters in told.items()} == {
        path: [field.data_key or name for name, field in query().fields.items()] for path, query in QUERIES.items()
    }
    for path, query in QUERIES.items():
        limit = query().fields.get("limit")
        assert limit is None or f"`limit` ({limit.load_default})" in told[path]


def test_what_a_deployment_understands_is_on_its_page() -> None:
    parameters = [names(row[0]) for row in table(DEPLOYING, "| query parameter |")]
    assert parameters == [[field.data_key or name] for name, field in DeployQuery().fields.items()]
    told = [name for kinds, _ in table(DEPLOYING, "| `Content-Type` |") for name in names(kinds)]
    assert set(told) == set(ACCEPTED)


def test_every_error_of_a_deployment_is_one() -> None:
    found = {(problem.status, problem.type.rpartition("/")[2]) for problem in errors.everything()}
    assert {(int(status), *names(name)) for status, name, _ in table(DEPLOYING, "| status | type |")} <= found


def test_every_member_of_a_request_is_on_the_page_about_the_api() -> None:
    assert [names(row[0]) for row in table(API, "| member |")] == [[name] for name in ExecuteSchema().fields]


def test_every_status_and_its_members_are_on_the_page_about_the_api() -> None:
    assert [row[0].strip("`") for row in table(API, "| status | means |\n")] == [status.value for status in Status]
    told = [name for row in table(API, "| member of the status |") for name in names(row[0])]
    assert sorted(told) == sorted(field.data_key or name for name, field in StatusInfoSchema().fields.items())


def test_every_cause_of_a_failure_is_on_the_page_about_operating() -> None:
    told = [name for names_of, _ in table(OPERATING, "| `cause` | means |") for name in names(names_of)]
    documented = re.sub(r"\s+", " ", StatusInfo.__doc__ or "").partition("cause: why it failed: ")[2].partition(".")[0]
    assert sorted(told) == sorted(documented.replace("or a limit: ", "").split(", "))
    assert {row[3].strip("`") for row in table(OPERATING, "| setting | option of a process |")} <= set(told)


def test_every_type_of_error_is_on_the_page_about_the_api() -> None:
    part_1, part_2, of_ours = (
        [(int(status), *names(name), text) for status, name, text in table(API[API.index(mark) :], "| status | type |")]
        for mark in (f"`{PART_1}`", f"`{PART_2}`", "One of Geomill's")
    )
    found = {(problem.status, problem.type, problem.text) for problem in errors.everything()}
    assert of_ours == sorted(row for row in found if row[2])
    parts = [(PART_1, part_1), (PART_2, part_2)]
    assert sorted((status, part + name, "") for part, rows in parts for status, name, _ in rows) == sorted(
        row for row in found if not row[2]
    )


def test_the_errors_of_failed_jobs_are_on_the_page_about_the_api() -> None:
    (told,) = re.findall(r"results of a job that failed gets (.*?)\.", API, re.DOTALL)
    assert set(names(told)) == {problem.type for problem in (*errors.FAILURES.values(), errors.FAILED)}


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_every_page_can_be_reached_from_the_readme(page: Path) -> None:
    assert page in {(start.parent / link.partition("#")[0]).resolve() for start, link in LINKS if start == PAGES[0]}
