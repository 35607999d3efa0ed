"""What the forms of deployment do with what browsers send, and with what nobody's browser sends."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from support.markup import anchors, check_page
from support.packages import CWL, OGC, as_json, as_yaml, ogc, tool
from support.web import Page, pages
from urllib3 import encode_multipart_formdata
from werkzeug.test import TestResponse

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.cwl.document import LARGEST
from geomill.app.server import Geomill

OURS = {"Origin": "http://localhost", "Accept": "text/html"}


def sent(client: FlaskClient, path: str, **form: Any) -> TestResponse:
    return client.post(path, data=form, headers=OURS)


def hidden(answer: TestResponse) -> dict[str, str]:
    """What the button of a page would send."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)
    assert answer.status_code == 200 and found, answer.text
    return {name: unescape(value) for name, value in found}


def reviewed(client: FlaskClient, path: str = "/deploy", **form: Any) -> dict[str, str]:
    """Look at what would be deployed; what the button sends then."""
    answer = sent(client, f"{path}/review", **form)
    check_page(answer)
    return hidden(answer)


def alert(answer: TestResponse) -> str:
    check_page(answer)
    return unescape("".join(re.findall(r'role="alert"[^>]*>(.*?)</div>', answer.text, re.DOTALL)))


@pytest.mark.parametrize(
    "content, media_type",
    [
        (as_yaml(tool()), CWL),
        (as_yaml(tool()).replace(b"\n", b"\r\n"), CWL),
        (as_json(tool()), "application/cwl+json"),
        (ogc({"value": tool()}), OGC),
    ],
)
def test_a_file_is_deployed_as_it_is(client: FlaskClient, content: bytes, media_type: str) -> None:
    button = reviewed(client, file=(BytesIO(content), "a.cwl"))
    answer = sent(client, "/deploy", **button)
    assert (answer.status_code, answer.location) == (303, "http://localhost/processes/greet")
    package = client.get("/processes/greet/package")
    assert (package.data, package.content_type) == (content, media_type)


def test_a_description_is_shown_in_its_paragraphs_and_with_its_code(client: FlaskClient) -> None:
    doc = "Greets `whom`\nwith <b>care</b>.\n\nA second\nparagraph, ` and half a quote."
    inputs = {"whom": {"type": "string", "doc": "A `name`\nof <i>somebody</i>."}}
    page = sent(client, "/deploy/review", text=as_yaml(tool(doc=doc, inputs=inputs)).decode()).text
    assert "<p>Greets <code>whom</code> with &lt;b&gt;care&lt;/b&gt;.</p>" in page
    assert "<p>A second paragraph, ` and half a quote.</p>" in page
    assert "A <code>name</code>\nof &lt;i&gt;somebody&lt;/i&gt;." in page


def test_what_is_large_is_carried_on(client: FlaskClient) -> None:
    content = as_yaml(tool()) + b"#" * 390_000  # more in letters than a form may usually hold
    body, content_type = encode_multipart_formdata({"file": ("a.cwl", content)})
    shown = client.post("/deploy/review", data=body, content_type=content_type, headers=OURS)
    answer = sent(client, "/deploy", **hidden(shown))
    assert answer.status_code == 303 and client.get("/processes/greet/package").data == content


@pytest.mark.parametrize(
    "form, status, words",
    [
        ({}, 400, "There is no package yet"),
        ({"text": "  \r\n"}, 400, "There is no package yet"),
        ({"text": "a: 1", "href": "https://example.org"}, 400, "give one of them"),
        ({"text": "cwlVersion: v1.2\r\nclass: Nothing"}, 400, 'Workflow or Operation), not "Nothing"'),
        ({"text": as_yaml(tool(id=None)).decode()}, 400, "what to call it into the field"),
        ({"text": "<script>alert(1)</script>"}, 400, ""),
        ({"text": '{"executionUnit": 1}'}, 400, '"executionUnit" must be an object'),
        ({"text": as_yaml(tool()).decode(), "w": "<b>"}, 400, '"<b>"'),
        ({"text": as_yaml(tool("echo")).decode()}, 403, "is the server's own"),
        ({"href": "http://127.0.0.1/a.cwl"}, 400, "127.0.0.1"),
        ({"href": "javascript:alert(1)"}, 400, ""),
        ({"carried": "###"}, 400, "cut off on its way"),
        ({"text": "#" * (LARGEST + 1)}, 400, "at most"),
    ],
)
@pytest.mark.parametrize("path", ["/deploy", "/deploy/review"])
def test_what_is_wrong_is_said_at_the_form(
    client: FlaskClient, path: str, form: dict[str, str], status: int, words: str
) -> None:
    answer = sent(client, path, **form)
    assert answer.status_code == status and words in alert(answer).replace("&lt;", "<").replace("&gt;", ">")
    assert 'name="text"' in answer.text and [each["id"] for each in deployed(client)] == []
    assert "?w=" not in alert(answer) and "<title>Error: " in answer.text


def deployed(client: FlaskClient) -> list[dict[str, Any]]:
    return [each for each in client.get("/processes").json["processes"] if each["mutable"]]


def test_a_process_that_is_there_can_be_replaced_instead(client: FlaskClient) -> None:
    client.post("/processes", data=as_yaml(tool()), content_type=CWL)
    answer = sent(client, "/deploy/review", text=as_yaml(tool()).decode())
    assert answer.status_code == 409 and "http://localhost/processes/greet/replacement" in anchors(answer.text)
    path = "/processes/greet/replacement"
    button = reviewed(client, path, text=as_yaml(tool("another", label="Better")).decode())
    assert sent(client, path, **button).location == "http://localhost/processes/greet"
    assert client.get("/processes/greet").json["title"] == "Better"


@pytest.fixture
def web(settings: Settings) -> Iterator[tuple[FlaskClient, dict[str, Page], str]]:
    """A client of a server that may fetch from a loopback address; what is there, and where that is."""
    given: dict[str, Page] = {"/a.cwl": (200, {}, as_yaml(tool()))}
    with pages(given) as url:
        app = create_app(replace(settings, allow=(url.removeprefix("http://"),)))
        yield app.test_client(), given, f"{url}/a.cwl"


def test_what_has_changed_since_it_was_shown_is_shown_again(web: tuple[FlaskClient, dict[str, Page], str]) -> None:
    client, given, href = web
    button = reviewed(client, href=href)
    given["/a.cwl"] = (200, {}, as_yaml(tool(label="Something else")))
    answer = sent(client, "/deploy", **button)
    assert "has changed since it was shown" in answer.text and deployed(client) == []
    assert sent(client, "/deploy", **hidden(answer)).status_code == 303
    assert client.get("/processes/greet").json["title"] == "Something else"


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize(
    "path", ["/deploy", "/deploy/review", "/processes/greet/replacement", "/processes/greet/undeployment"]
)
def test_no_page_of_another_site_deploys_anything(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    client.post("/processes", data=as_yaml(tool()), content_type=CWL)
    answer = client.post(path, data={"text": as_yaml(tool("evil")).decode()}, headers=headers)
    assert answer.status_code == 403 and [each["id"] for each in deployed(client)] == ["greet"]


@pytest.mark.parametrize("what", ["replacement", "undeployment"])
@pytest.mark.parametrize("process, status", [("echo", 403), ("none", 404)])
def test_what_cannot_be_changed_has_no_form(client: FlaskClient, what: str, process: str, status: int) -> None:
    assert client.get(f"/processes/{process}/{what}", headers=OURS).status_code == status
    assert sent(client, f"/processes/{process}/{what}").status_code == status


def test_what_is_deployed_by_a_page_is_in_the_audit_log(client: FlaskClient, app: Geomill) -> None:
    sent(client, "/deploy", **reviewed(client, text=as_yaml(tool()).decode()))
    sent(client, "/processes/greet/undeployment")
    assert deployed(client) == []
    lines = [json.loads(line) for line in app.audit.path.read_text().splitlines()]
    noted = [(line["operation"], line.get("process"), line["status"]) for line in lines]
    assert noted[-2:] == [("deployFromPage", "greet", 303), ("undeployFromPage", "greet", 303)]


def test_a_package_that_is_too_large_for_a_request_is_refused(settings: Settings) -> None:
    client = create_app(replace(settings, max_body=10_000)).test_client()
    answer = sent(client, "/deploy/review", carried=b64encode(b"x" * 10_000).decode())
    assert answer.status_code == 413
    check_page(answer)


def test_what_is_deployed_in_a_tenant_is_there(settings: Settings) -> None:
    client = create_app(replace(settings, tenants=("acme",))).test_client()
    path = "/acme/ogc-api/deploy"
    answer = sent(client, path, **reviewed(client, path, text=as_yaml(tool()).decode()))
    assert answer.location == "http://localhost/acme/ogc-api/processes/greet"
    assert client.get("/acme/ogc-api/processes/greet").status_code == 200 and deployed(client) == []
