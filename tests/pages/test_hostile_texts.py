"""What users and processes write is text on every page, whatever a browser could make of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from pages.conftest import LIMITS, OpenPage
from pages.hostile.texts import START, name, text
from support.browsers import Browser, Page, expect, watch_of, window
from support.hostile import deploy, expression, workflow
from support.mills import Mill, serving
from support.packages import tool
from support.stores import bring_to, create

from geomill.app.config import Settings
from geomill.jobstore import Status

HERE = Path(__file__).parent
# what only a text of ours could have made of itself; the last is what a template made of {{7919*104729}}: as long as it
# is no id of a job has it in it
FOUND = """() => [
  window.__xss && "a script ran",
  ...[...document.querySelectorAll(".xss, [src$=xss], [style*=xss], iframe, object, embed, base")],
  ...[...document.querySelectorAll("*")].filter((each) => [...each.attributes].some(({ name, value }) =>
    name.startsWith("on") || /^\\\\s*(javascript|data|vbscript):/i.test(value))),
  document.body.innerText.includes(7919 * 104729) && "a template ran",
].filter(Boolean).map((each) => each.outerHTML ?? each)"""
TOLD = "() => document.documentElement.textContent + [...document.querySelectorAll('input')].map((e) => e.value)"
CHECK = "form[action$='/review'] button"
INPUTS = [
    *("process-title", "process-description", "keyword", "input-name", "input-title", "input-description", "enum"),
    *("words-title", "words-description", "default", "output-title", "output-description"),
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server whose settings and processes are hostile."""
    root = tmp_path_factory.mktemp("hostile")
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "hostile",))
    words = {"title": text("server-title"), "description": text("server-description")}
    with serving(settings, shared=True, **words, **LIMITS) as mill:
        yield mill


@pytest.fixture(scope="module")
def reader(browser: Browser, hostile: Mill) -> Iterator[Page]:
    """One window for all that is only read: a new one costs as much as three pages in it."""
    with window(browser, hostile.url) as page:
        yield page


def check(page: Page, *fields: str) -> None:
    """Nothing but texts came of these fields, and each is there to be read."""
    assert not page.evaluate(FOUND)
    told = page.evaluate(TOLD).replace("\\", "")  # an error may quote it
    assert not [field for field in fields if f"{field}{START}" not in told]


@pytest.mark.parametrize(
    "path, fields",
    [
        ("/", ["server-title", "server-description"]),
        ("/api", ["server-title", "server-description"]),
        (f"/{quote(text('path'))}", ["server-title"]),
        (f"/problems/{quote(name('problem'))}", ["problem"]),
        ("/processes", ["process-title", "process-description", "keyword"]),
        (f"/processes?q={quote(text('sought'))}", ["sought"]),
        (f"/processes?keyword={quote(text('keyword'))}", ["process-title", "keyword"]),
        ("/processes/hostile", INPUTS),
        (f"/processes/{quote(name('process-id'))}", ["process-id"]),
        (f"/jobs/{quote(name('job-id'))}", ["job-id"]),
        (f"/jobs?processID={quote(text('filtered'))}", ["filtered"]),
        ("/admin", []),
        (f"/jobs?limit={quote(text('limit'))}", []),
        (f"/login?next={quote(text('next'))}", []),
    ],
)
def test_a_text_is_a_text(reader: Page, path: str, fields: list[str]) -> None:
    reader.goto(path)
    check(reader, *fields)
    watch_of(reader).check()


def test_what_was_written_into_a_form_is_there_again(open_page: OpenPage, hostile: Mill) -> None:
    page = open_page("/processes/hostile", at=hostile)
    page.get_by_label("count").fill(text("count"))
    page.get_by_label(text("words-title")).fill(text("written"))
    with page.expect_navigation() as arrived:
        page.get_by_role("button", name="Run").click()
    assert arrived.value.status == 400
    check(page, *set(INPUTS) - {"default"}, "count", "written")


def test_a_package_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    document = tool(label=text("label"), doc=text("doc"), baseCommand=["echo", text("command")])
    document["inputs"]["whom"] |= {"label": text("input-label"), "doc": text("input-doc"), "default": text("default")}
    page = open_page("/deploy", at=hostile)
    page.get_by_label("or its text").fill(json.dumps(document))
    for button in (CHECK, "form[action$='/deploy'] button"):
        with page.expect_navigation():
            page.locator(button).click()
        check(page, "label", "doc", "input-doc")
    page.goto("/deploy")
    page.get_by_label("or its text").fill(text("no-document"))
    page.get_by_label("or its address").fill("https://example.org/" + text("href"))
    page.get_by_label("Which process of it").fill(text("which"))
    with page.expect_navigation():
        page.locator(CHECK).click()
    check(page, "no-document", "which")


def ended(hostile: Mill, process: str, **inputs: str) -> str:
    """The address of a job that has ended."""
    job_id = hostile.submit(process, **inputs)
    hostile.ended(job_id)
    return f"/jobs/{job_id}"


def test_what_a_job_says_and_gives_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    job = ended(hostile, "hostile", words=text("given"))
    page = open_page(job, at=hostile)
    check(page, "log-line", "given", "output-name")
    for path in ("/results", "/inputs", "/prov", "/events"):
        page.goto(job + path)
        check(page)
    page.goto(f"{job}/results")
    page.wait_for_load_state("networkidle")
    for button in page.locator("tbody button").all():
        button.click()
    page.locator("body").evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true })")
    check(page, "output-name", "output-value", "key", "value", "property-name", "property-value")
    page.goto(f"/processes/hostile?from={job.rpartition('/')[2]}")
    check(page, "given")


def test_what_a_file_is_called_and_holds_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    job = ended(hostile, "hostile-file")
    page = open_page(f"{job}/results", at=hostile)
    page.wait_for_load_state("networkidle")
    check(page, "file-name", "file-content")
    page.goto(job)
    check(page)


def test_how_a_job_failed_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    page = open_page(ended(hostile, "hostile-failure"), at=hostile)
    check(page, "log-line", "exception")
    for path in ("/jobs", "/admin", f"{urlsplit(page.url).path}/results"):
        page.goto(path)
        check(page, "exception")


def test_what_a_step_is_called_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    step, said = name("step"), {"text": "string"}
    tool = expression("throw 'no'", said, {"number": "int"})
    steps = {step: {"run": tool, "in": {"number": "number"}, "out": ["text"]}}
    outputs = {name("said"): {"type": "string", "outputSource": f"{step}/text"}}
    deploy(hostile, workflow(steps, outputs, {"number": "int"}), "steps")
    page = open_page("/processes/steps", at=hostile)
    check(page, "step", "said")
    job_id = hostile.submit("steps", number=1)
    hostile.ended(job_id, 60)
    for path in (f"/jobs/{job_id}", f"/jobs/{job_id}/events", "/jobs"):
        page.goto(path)
        check(page, "step")


def test_who_owns_a_job_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    """Names of an OpenID Connect issuer are what that says."""
    job_id = create(hostile.store, durable=False, owner=text("owner"))
    bring_to(hostile.store, job_id, Status.FAILED)
    page = open_page(f"/jobs/{job_id}", at=hostile)
    check(page, "owner")
    for path in (f"/jobs?owner={quote(text('owner'))}", "/admin", f"/jobs/{job_id}/prov"):
        page.goto(path)
        check(page)


def test_what_a_job_says_meanwhile_is_a_text(open_page: OpenPage, hostile: Mill) -> None:
    job_id = hostile.submit("hostile-running")
    try:
        hostile.message(job_id, "message-1-")
        page = open_page(f"/jobs/{job_id}", at=hostile)
        main = page.get_by_role("main")
        (number,) = re.findall(r"\bmessage-(\d+)-", main.inner_text())
        expect(main).not_to_contain_text(f"message-{number}-{START}")  # it has been told of another
        expect(main).to_contain_text(f"log-line-{int(number) + 1}-{START}")
        check(page)
    finally:
        hostile.call("DELETE", f"/jobs/{job_id}")
