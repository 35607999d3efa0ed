"""The same for people: each address is a page of ours, closed and valid, and a form where something can be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arcgis.conftest import ADMIN, REST, Esri, Start, task, uuid_of
from identity.conftest import Make
from pages.hostile.texts import name, text
from support.markup import anchors, check_page, elements, mistakes
from support.stores import create

from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.server import Geomill
from geomill.jobstore import Status

Ended = Callable[..., str]
HOSTILE = text("input")


def pages_of(job_id: str, process: str = "kinds") -> list[str]:
    of_task, of_admin = task(process), f"{ADMIN}/{process}.GPServer/jobs"
    of_job = ("", "/results", "/results/said", "/inputs", "/inputs/text", "/cancel")
    return [
        *("/arcgis", "/arcgis/rest", "/arcgis/rest/info", REST, f"{REST}/{process}/GPServer"),
        *(of_task, f"{of_task}/submitJob", f"{of_task}/execute"),
        *(f"{of_task}/jobs/{job_id}{more}" for more in of_job),
        *("/arcgis/admin", ADMIN, of_admin, f"{of_admin}/query", f"{of_admin}/statistics", f"{of_admin}/purgeQueue"),
        *(f"{of_admin}/{job_id}{more}" for more in ("", "/cancel", "/delete")),
        *("/arcgis/tokens", "/arcgis/admin/generateToken"),
        # errors
        *(f"{REST}/none/GPServer", "/arcgis/nothing", f"{of_task}/jobs/{job_id}/results/none"),
        *(f"{REST}/{name('service')}/GPServer", f"{of_task}/jobs/{name('job')}"),
    ]


def test_every_address_is_a_page(esri: Esri, ended: Ended) -> None:
    job_id = ended("kinds", text=name("input"))
    for path in pages_of(job_id):
        answer = esri.client.get(path)
        assert answer.status_code == 200, path
        check_page(answer)
        assert mistakes(answer.text) == [], path


@pytest.mark.parametrize("who", [None, Role.READER, Role.ADMIN])
def test_every_address_is_a_page_whoever_asks(start: Start, make: Make, tokens: Tokens, who: Role | None) -> None:
    """Each has the same frame: for who is not logged in with the address that leads back here."""
    make("somebody", Role.EXECUTOR)
    client = start(anonymous="reader").test_client()
    assert isinstance(client.application, Geomill)
    job_id = f"j{create(client.application.jobs, durable=False).replace('-', '')}"
    if who is not None:
        known = tokens.find(make("ann", who))
        assert known is not None
        client.set_cookie("geomill", client.application.identity.sessions.begin(known.id))
    for path in pages_of(job_id, "echo"):
        answer = client.get(path)
        assert (answer.status_code, "Something failed" in answer.text) == (200, False), path
        check_page(answer)
        assert who is not None or "http://localhost/login?next=/arcgis" in "".join(anchors(answer.text)), path


def test_what_a_user_wrote_is_text(esri: Esri, ended: Ended) -> None:
    job_id = ended("kinds", text=HOSTILE)
    for more in ("", "/inputs/text", "/results/text_", "/results/said"):
        page = esri.client.get(f"{task('kinds')}/jobs/{job_id}{more}").text
        assert not [name for name, attributes, _ in elements(page) if "xss" in attributes.get("class", "")]
    assert HOSTILE in esri.client.get(f"{task('kinds')}/jobs/{job_id}/inputs/text?f=json").json["value"]
    filled = esri.client.get(f"{task('kinds')}/submitJob", query_string={"text": HOSTILE})
    check_page(filled)
    assert [each["value"] for name, each, _ in elements(filled.text) if each.get("name") == "text"] == [HOSTILE]


def test_a_form_has_a_field_for_each_parameter(esri: Esri) -> None:
    fields = {
        each["name"]: (name, each)
        for name, each, _ in elements(esri.client.get(f"{task('kinds')}/submitJob").text)
        if name in ("input", "select", "textarea") and "name" in each
    }
    assert list(fields) == [
        *("f", "text", "whole", "number", "flag", "moment", "day", "colour", "numbers", "texts", "record", "f_"),
    ]
    assert fields["colour"][0] == fields["flag"][0] == "select"
    assert fields["whole"][1]["value"] == "5"
    assert "required" in fields["text"][1] and "required" not in fields["whole"][1]


def test_a_form_leads_to_its_job(esri: Esri, working: Geomill) -> None:
    of_ours = {"Sec-Fetch-Site": "same-origin"}
    form = {"f": "html", "text": "a", "whole": "", "colour": "green"}
    answer = esri.client.post(f"{task('kinds')}/submitJob", data=form, headers=of_ours)
    assert answer.status_code == 303
    job_id = answer.location.rpartition("/")[2]
    assert working.engine.run(uuid_of(job_id), 60).status is Status.SUCCESSFUL
    page = esri.client.get(answer.location)
    check_page(page)
    assert f"http://localhost{task('kinds')}/jobs/{job_id}/results/said" in anchors(page.text)
    wrong: Any = esri.client.post(f"{task('kinds')}/submitJob", data={"f": "html"}, headers=of_ours)
    assert wrong.status_code == 200 and "text: is required" in wrong.text
    check_page(wrong)
    waited = esri.client.post(f"{task('kinds')}/execute", data=form, headers=of_ours)
    check_page(waited)
    assert "esriJob" not in waited.text and "first_day" in waited.text


@pytest.mark.parametrize("what", ["cancel", "delete"])
def test_a_button_asks_for_what_can_be_done(esri: Esri, working: Geomill, what: str) -> None:
    job_id = esri.submit("endless")
    page = esri.client.get(f"{ADMIN}/endless.GPServer/jobs/{job_id}").text
    actions = [attributes["action"] for name, attributes, _ in elements(page) if name == "form"]
    assert actions == [
        f"http://localhost{ADMIN}/endless.GPServer/jobs/{job_id}/{each}" for each in ("cancel", "delete")
    ]
    done = esri.client.post(next(each for each in actions if each.endswith(what)), data={"f": "html"})
    check_page(done)
    assert "success" in done.text
    esri.post(f"{ADMIN}/endless.GPServer/jobs/{job_id}/delete")


def test_a_page_does_not_pass_on_a_token(start: Any, make: Any) -> None:
    client = start().test_client()
    esri = Esri(client)
    token = esri.post("/arcgis/tokens/generateToken", username="ann", password=make("ann"))["token"]
    page = client.get(f"{REST}?token={token}")
    check_page(page)
    assert token not in "".join(address for address in anchors(page.text) if "login" not in address)
