"""The page of a process as a browser without scripts uses it: what its form sends is what the API is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import html5lib
import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from support.fields import PAIRS, submitted
from support.mills import furnish
from support.stores import create
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse, encode_multipart

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.pages.form.entries import made, same
from geomill.app.pages.form.form import form_of
from geomill.app.pages.form.shown import Shown
from geomill.app.pages.form.special import unwrapped
from geomill.app.server import Geomill

Json = Any
HTML = {"Accept": "text/html"}
OURS = {**HTML, "Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geomill]:
    root = tmp_path_factory.mktemp("forms")
    furnish(root / "home")
    yield create_app(Settings(home=root / "home", runtime_dir=root / "run", processes=(HERE / "processes",)))


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()


def opened(client: FlaskClient, address: str) -> MultiDict[str, str]:
    """The form of a page, as a browser would send it."""
    answer = client.get(address, headers=HTML)
    assert answer.status_code == 200, answer.text
    return submitted(answer.text)


def pressed(client: FlaskClient, process: str, what: str, entries: MultiDict[str, str]) -> TestResponse:
    """A button that sends the form."""
    headers = {**OURS, "Accept": "*/*"} if what == "request" else OURS
    return client.post(f"/processes/{process}/{what}", data=entries, headers=headers)


def asked(app: Geomill, answer: TestResponse) -> Json:
    """The request of the job that a form was answered with."""
    assert answer.status_code == 303, answer.text
    return json.loads(app.jobs.request(answer.headers["Location"].rpartition("/")[2]))


def at(page: str, id: str) -> dict[str, str]:
    """The attributes of an element, and its text."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    (found,) = [each for each in tree.iter() if each.get("id") == id]
    return {**found.attrib, "": "".join(found.itertext())}


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_a_browser_sends_what_a_form_was_filled_in_with(app: Geomill, pair: tuple[Json, Json]) -> None:
    form = form_of({"inputs": {"x": {"schema": pair[0]}}, "jobControlOptions": ["async-execute"]})
    entries = made(form.inputs[0].fill(pair[1]))
    module = app.jinja_env.get_template("form.html").make_module({})
    shown = module.input(Shown(form, entries), form.inputs[0])  # type: ignore[attr-defined]
    sent = submitted(f"<!doctype html><title>.</title><form id=run>{shown}</form>")
    assert same(unwrapped(form.read(sent).request["inputs"]["x"]), unwrapped(pair[1]))


@pytest.mark.parametrize("process", ["echo", "buffer", "water-mask"])
def test_an_untouched_form_asks_for_the_defaults_and_lacks_the_rest(app: Geomill, process: str) -> None:
    client = app.test_client()
    described = client.get(f"/processes/{process}").json["inputs"]
    optional = {name for name, each in described.items() if not each.get("minOccurs", 1) or "default" in each["schema"]}
    required = set(described) - optional
    answer = pressed(client, process, "execution", opened(client, f"/processes/{process}"))
    assert answer.status_code == 400 and answer.mimetype == "text/html"
    for name in described:
        error = at(answer.text, f"inputs/{name}-error")
        assert ("hidden" not in error) == (name in required) == ("is required" in error[""])
    assert all(f'href="#inputs/{name}' in answer.text for name in required)


def test_a_form_asks_for_what_the_api_is_asked_for(app: Geomill, client: FlaskClient) -> None:
    entries = opened(client, "/processes/echo")
    text = "two\r\nlines 'quoted' \"\u20ac\" <b> $HOME `x` \\n"
    entries["inputs/echoInput"] = text
    for said in ("add inputs/numbersInput", "add inputs/numbersInput"):
        entries.setlist("do", [said])
        entries = submitted(pressed(client, "echo", "form", entries).text)
    entries["inputs/numbersInput/0"], entries["inputs/numbersInput/1"] = "5", "-7"
    entries["inputs/mixedInput:variant"] = "1"
    entries.setlist("do", ["add inputs/mixedInput"])
    entries = submitted(pressed(client, "echo", "form", entries).text)
    entries["inputs/mixedInput:1"] = '{"a": [1.5, null]}'
    for side, number in enumerate(("1", "2.5", "3", "4")):
        entries[f"inputs/bboxInput:{side}"] = number
    entries.setlist("outputs", ["echoInput", "bboxInput"])
    body = {
        "inputs": {"echoInput": text.replace("\r\n", "\n"), "pause": 0, "mixedInput": {"value": {"a": [1.5, None]}},
                   "numbersInput": [5, -7], "bboxInput": {"bbox": [1, 2.5, 3, 4]}},
        "outputs": {"echoInput": {}, "bboxInput": {}},
    }  # fmt: skip
    shown = pressed(client, "echo", "request", entries).json
    assert (json.loads(shown["json"]), shown["errors"]) == (body, {})
    answer = pressed(client, "echo", "execution", entries)
    assert asked(app, answer) == body
    job = app.jobs.job(answer.headers["Location"].rpartition("/")[2])
    assert job.prefer == "respond-async"
    again = opened(client, f"/processes/echo?from={job.job_id}")
    assert asked(app, pressed(client, "echo", "execution", again)) == body


def test_an_error_stands_at_its_field_and_nothing_is_lost(client: FlaskClient) -> None:
    entries = opened(client, "/processes/echo")
    entries["inputs/echoInput"], entries["inputs/pause"] = "kept", "many"
    entries.setlist("do", ["add inputs/numbersInput"])
    entries = submitted(pressed(client, "echo", "form", entries).text)
    entries["inputs/numbersInput/0"] = "x"
    answer = pressed(client, "echo", "execution", entries)
    assert answer.status_code == 400
    for name in ("pause", "numbersInput/0"):
        field = at(answer.text, f"inputs/{name}")
        assert field["aria-invalid"] == "true" and f"inputs/{name}-error" in field["aria-describedby"].split()
        assert "must be an integer" in at(answer.text, f"inputs/{name}-error")[""]
    assert "autofocus" in at(answer.text, "errors") and 'href="#inputs/numbersInput/0"' in answer.text
    assert sorted(submitted(answer.text).items(multi=True)) == sorted(entries.items(multi=True))


def test_a_server_that_takes_no_more_gives_the_form_back(tmp_path: Path) -> None:
    furnish(tmp_path / "home")
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", max_queued_per_caller=1)
    client = create_app(settings).test_client()
    entries = opened(client, "/processes/echo")
    entries["inputs/echoInput"] = "kept"
    assert pressed(client, "echo", "execution", entries).status_code == 303
    answer = pressed(client, "echo", "execution", entries)
    assert (answer.status_code, answer.mimetype) == (429, "text/html") and "Retry-After" in answer.headers
    assert submitted(answer.text)["inputs/echoInput"] == "kept" and "Too many jobs" in at(answer.text, "errors")[""]


def test_a_body_of_json_is_no_form_whatever_it_is_called(app: Geomill, client: FlaskClient) -> None:
    for text in ("x", "geomill-form=1"):
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=a"):
            body = json.dumps({"inputs": {"echoInput": text}})
            named = {"content_type": kind, "headers": {"Prefer": "respond-async"}}
            answer = client.post("/processes/echo/execution", data=body, **named)
            assert answer.status_code == 201
            assert json.loads(app.jobs.request(answer.json["jobID"])) == json.loads(body)


@pytest.mark.parametrize("what", ["execution", "form", "request"])
def test_only_pages_of_ours_send_forms(client: FlaskClient, what: str) -> None:
    entries = {"geomill-form": "1", "inputs/echoInput": "x"}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert client.post(f"/processes/echo/{what}", data=entries, headers=headers).status_code == 403


def test_a_file_is_kept_and_named_by_its_address(app: Geomill, client: FlaskClient) -> None:
    entries = dict(opened(client, "/processes/echo").items(multi=True))
    entries["inputs/echoInput"] = "x"
    sent: dict[str, Any] = {**entries, "inputs/imageInput:file": (BytesIO(b"II*"), "a.tif", "image/tiff")}
    answer = client.post("/processes/echo/execution", data=sent, content_type="multipart/form-data", headers=OURS)
    href = asked(app, answer)["inputs"]["imageInput"]["href"]
    with client.get(href) as kept:
        assert kept.data == b"II*"


def test_a_file_in_a_request_is_shown_and_sent_again(app: Geomill, client: FlaskClient) -> None:
    file = {"value": "SUkq", "encoding": "base64", "mediaType": "image/tiff"}
    body = {"inputs": {"echoInput": "x", "imageInput": file}}
    job = client.post("/processes/echo/execution", json=body, headers={"Prefer": "respond-async"}).json["jobID"]
    page = client.get(f"/processes/echo?from={job}", headers=HTML)
    assert "A file of 3 B (image/tiff) is in the request" in page.text
    again = opened(client, f"/processes/echo?from={job}")
    assert asked(app, pressed(client, "echo", "execution", again))["inputs"]["imageInput"] == file
    again.setlist("do", ["drop inputs/imageInput"])
    assert ":inline" not in pressed(client, "echo", "form", again).text


@pytest.mark.parametrize("visible, refused", [("own", 404), ("all", 403)])
def test_the_request_of_a_job_is_for_who_may_see_it(tmp_path: Path, visible: str, refused: int) -> None:
    furnish(tmp_path / "home")
    guarded = create_app(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", jobs_visibility=visible))
    tokens = {name: Tokens(tmp_path / "home").create(name, Role.EXECUTOR, None, None) for name in ("ann", "bob")}
    job = create(guarded.jobs, b'{"inputs": {"echoInput": "a secret"}}', owner="ann")
    for name, status in (("ann", 200), ("bob", refused)):
        headers = {**HTML, "Authorization": f"Bearer {tokens[name]}"}
        answer = guarded.test_client().get(f"/processes/echo?from={job}", headers=headers)
        assert (answer.status_code, "a secret" in answer.text) == (status, status == 200)
    missing = guarded.test_client().get("/processes/echo?from=none", headers=headers)
    assert missing.status_code == 404


def test_who_may_not_run_it_is_told_so(tmp_path: Path) -> None:
    furnish(tmp_path / "home")
    guarded = create_app(Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run"))
    token = Tokens(tmp_path / "home").create("ann", Role.READER, None, None)
    page = guarded.test_client().get("/processes/echo", headers={**HTML, "Authorization": f"Bearer {token}"})
    assert ">Run</button>" not in page.text and "with the role executor" in page.text
    assert "Authorization: Bearer $GEOMILL_TOKEN" in at(page.text, "request-curl")[""]


@pytest.mark.parametrize(
    "query, found",
    [
        ("q=water", ["water-mask"]),
        ("q=NDWI%20bodies", ["water-mask"]),
        ("keyword=test", ["echo"]),
        ("q=nothing-like-it", []),
    ],
)
def test_processes_are_found_by_their_words(client: FlaskClient, query: str, found: list[str]) -> None:
    assert [each["id"] for each in client.get(f"/processes?{query}").json["processes"]] == found
    page = client.get(f"/processes?{query}", headers=HTML)
    assert page.status_code == 200 and all(f"/processes/{process}" in page.text for process in found)
    assert ("No process has these words" in page.text) == (not found)


@pytest.mark.parametrize("count, said", [(6000, "more than 5000 entries"), (1000, "at most 500 fields and 100 rows")])
def test_more_than_a_page_sends_is_refused(client: FlaskClient, count: int, said: str) -> None:
    rows = [("geomill-form", "1"), *(("inputs/numbersInput:row", str(key)) for key in range(count))]
    boundary, parts = encode_multipart(MultiDict(rows))
    bodies = {
        "application/x-www-form-urlencoded": urlencode(rows),
        f"multipart/form-data; boundary={boundary}": parts,
    }
    for kind, body in bodies.items():
        for what in ("request", "execution"):
            headers = {**OURS, "Accept": "*/*"}
            answer = client.post(f"/processes/echo/{what}", data=body, content_type=kind, headers=headers)
            assert (answer.status_code, said in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("written", ["http://{}", "HTTP://{}", "http://{}?x=1", "http://{}#f"])
def test_a_job_whose_upload_is_gone_is_asked_for_again_by_its_form(client: FlaskClient, written: str) -> None:
    sent = client.post("/uploads", data=b"a", content_type="text/plain").json
    href = written.format(sent["href"].removeprefix("http://"))
    asked = {"inputs": {"echoInput": {"href": href}}}
    begun = client.post("/processes/echo/execution", json=asked, headers={"Prefer": "respond-async"})
    assert begun.status_code == 201, begun.text
    client.delete(sent["href"])
    again = client.post(f"/jobs/{begun.json['jobID']}/again", headers=OURS)
    assert again.status_code == 303 and f"/processes/echo?from={begun.json['jobID']}" in again.headers["Location"]
    page = client.get(again.headers["Location"], headers=HTML)
    assert href in page.text and 'id="inputs/echoInput:json-error">cannot' in page.text


def test_a_row_of_a_strange_key_is_none(client: FlaskClient) -> None:
    entries = [("do", "add inputs/numbersInput"), ("geomill-form", "1"), ("inputs/numbersInput:row", "9" * 5000)]
    answer = pressed(client, "echo", "form", MultiDict(entries))
    assert answer.status_code == 200 and "9" * 5000 not in answer.text


@pytest.mark.parametrize("further", [5, [1], "x"])
def test_further_inputs_that_are_none_are_an_error(client: FlaskClient, further: Json) -> None:
    entries = opened(client, "/processes/echo")
    entries["inputs/echoInput"], entries["more"] = "x", json.dumps({"inputs": further})
    answer = pressed(client, "echo", "execution", entries)
    assert (answer.status_code, "must be an object of further inputs" in answer.text) == (400, True)


@pytest.mark.parametrize("default", [["a,b", " c ", ""], ["", "a"], ["a", "b"]])
def test_an_untouched_form_keeps_a_default_of_empty_texts(default: list[str]) -> None:
    schema = {"type": "array", "items": {"type": "string"}, "default": default}
    form = form_of({"inputs": {"many": {"title": "Many", "schema": schema}}})
    assert form.read(form.begin()).request == {"inputs": {"many": default}}
