"""The life of a job as ArcGIS sees it; every documented shape, member by member."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from arcgis.conftest import ADMIN, REST, Esri, Json, task, uuid_of
from support.waiting import until

from geomill.app.server import Geomill

POINT = {"geometry": {"x": 8, "y": 47, "spatialReference": {"wkid": 4326}}, "attributes": {"name": "Zug"}}
Ended = Callable[..., str]


def test_the_server_says_what_it_is(esri: Esri) -> None:
    found = esri.get("/arcgis/rest/info")
    assert found == {"currentVersion": 11.1, "fullVersion": "11.1.0", "authInfo": {"isTokenBasedSecurity": False}}


def test_every_process_is_a_service(esri: Esri, working: Geomill) -> None:
    found = esri.get(REST)
    assert list(found) == ["currentVersion", "folders", "services"]
    assert found["services"] == [{"name": each.id, "type": "GPServer"} for each in working.processes.list()]


def test_a_service_has_the_task_of_its_process(esri: Esri) -> None:
    found = esri.get(f"{REST}/water-mask/GPServer")
    assert list(found) == [
        *("currentVersion", "cimVersion", "serviceDescription", "tasks", "executionType", "resultMapServerName"),
        *("maximumRecords", "capabilities"),
    ]
    assert found["tasks"] == ["water_mask"] and found["executionType"] == "esriExecutionTypeAsynchronous"
    assert esri.get(f"{REST}/water-mask/GPServer/water-mask") == esri.get(f"{REST}/water-mask/GPServer/water_mask")


def test_a_task_has_a_parameter_for_each_input_and_output(esri: Esri) -> None:
    found = esri.get(task("kinds"))
    assert list(found) == [
        *("name", "displayName", "description", "category", "helpUrl", "executionType", "parameters"),
    ]
    kinds = [(each["name"], each["dataType"], each["parameterType"][19:]) for each in found["parameters"]]
    assert kinds == [
        *(("text", "GPString", "Required"), ("whole", "GPLong", "Optional"), ("number", "GPDouble", "Optional")),
        *(("flag", "GPBoolean", "Optional"), ("moment", "GPDate", "Optional"), ("day", "GPDate", "Optional")),
        *(("colour", "GPString", "Optional"), ("numbers", "GPMultiValue:GPDouble", "Optional")),
        *(("texts", "GPMultiValue:GPString", "Optional"), ("record", "GPString", "Optional")),
        *(("f_", "GPString", "Optional"), ("said", "GPString", "Derived"), ("when", "GPDate", "Derived")),
        *(("first_day", "GPDate", "Derived"), ("text_", "GPString", "Derived")),
        *(("sums", "GPMultiValue:GPDouble", "Derived"), ("truth", "GPBoolean", "Derived")),
    ]
    by_name = {each["name"]: each for each in found["parameters"]}
    assert by_name["whole"] == {
        "name": "whole",
        "dataType": "GPLong",
        "displayName": "A whole number",
        "description": "From one to ten.",
        "direction": "esriGPParameterDirectionInput",
        "defaultValue": 5,
        "parameterType": "esriGPParameterTypeOptional",
        "category": "",
        "filter": {"type": "range", "minimum": 1, "maximum": 10},
    }
    assert by_name["colour"]["choiceList"] == ["red", "green"]
    assert by_name["truth"]["direction"] == "esriGPParameterDirectionOutput"


def test_a_job_is_submitted_watched_and_read(esri: Esri, ended: Ended, working: Geomill) -> None:
    job_id = ended("kinds", text="hi", whole="7", f_="g", moment="1769860800000", numbers="[1, 2.5]", record='{"a": 1}')
    assert re.fullmatch("j[0-9a-f]{32}", job_id)
    found = esri.get(f"{task('kinds')}/jobs/{job_id}")
    assert list(found) == ["jobId", "jobStatus", "results", "inputs", "messages"]
    assert (found["jobId"], found["jobStatus"]) == (job_id, "esriJobSucceeded")
    assert found["results"]["first_day"] == {"paramUrl": "results/first_day"}
    assert found["inputs"]["f_"] == {"paramUrl": "inputs/f_"}
    values = {name: esri.get(f"{task('kinds')}/jobs/{job_id}/results/{name}") for name in found["results"]}
    assert all(list(each) == ["paramName", "dataType", "value"] for each in values.values())
    shown = {name: each["value"] for name, each in values.items()}
    said = json.loads(shown.pop("said"))
    assert shown == {
        **{"when": 1769860800000, "first_day": 1769817600000, "text_": "hi", "sums": [1.5, 2.5]},
        "truth": True,
    }
    assert (said["whole"], said["f"], said["numbers"], said["record"]) == (7, "g", [1, 2.5], {"a": 1})
    assert said["moment"].startswith("2026-01-31T12:00:00")
    assert esri.get(f"{task('kinds')}/jobs/{job_id}/inputs/moment") == {
        **{"paramName": "moment", "dataType": "GPDate"},
        "value": 1769860800000,
    }
    assert working.jobs.status(uuid_of(job_id)).process_id == "kinds"  # a job like any other
    listed = working.test_client().get("/jobs?processID=kinds", headers={"Accept": "application/json"}).json
    assert uuid_of(job_id) in [each["jobID"] for each in listed["jobs"]]


def test_results_are_waited_for(esri: Esri) -> None:
    found = esri.post(f"{task('kinds')}/execute", text="hi")
    assert list(found) == ["results", "messages"]
    assert [each["paramName"] for each in found["results"]] == ["said", "when", "first_day", "text_", "sums", "truth"]


def test_features_come_back_as_they_went(esri: Esri) -> None:
    sent = {"features": [POINT], "geometryType": "esriGeometryPoint", "spatialReference": {"wkid": 4326}}
    (found,) = esri.post(f"{task('same')}/execute", features=json.dumps(sent))["results"]
    assert (found["paramName"], found["dataType"]) == ("result", "GPFeatureRecordSetLayer")
    assert found["value"]["features"] == [{"attributes": {"name": "Zug"}, "geometry": {"x": 8, "y": 47}}]
    assert esri.post(f"{task('shapeless')}/execute", geometry=json.dumps(sent))["results"][0]["value"] == "Point"


def test_features_that_are_no_feature_set_are_an_address(esri: Esri, ended: Ended) -> None:
    job_id = ended("mixed")
    value = esri.get(f"{task('mixed')}/jobs/{job_id}/results/result")["value"]
    assert value == {"url": f"http://localhost{task('mixed')}/jobs/{job_id}/results/result?f=geojson"}
    given = esri.client.get(value["url"]).json["features"]
    assert [each["geometry"]["type"] for each in given] == ["Point", "LineString"]


def test_files_are_addresses_that_give_them(esri: Esri, ended: Ended) -> None:
    at = f"{task('scene')}/jobs/{ended('scene', text='pixels')}/results"
    scene, tables = esri.get(f"{at}/scene"), esri.get(f"{at}/tables")
    assert (scene["dataType"], scene["value"]["format"]) == ("GPRasterDataLayer", "tif")
    assert esri.client.get(scene["value"]["url"]).text == "pixels"
    assert tables["dataType"] == "GPMultiValue:GPDataFile"
    assert [esri.client.get(each["url"]).text for each in tables["value"]] == ["a.csv", "b.csv"]


def test_a_file_goes_in_by_its_address(esri: Esri) -> None:
    upload = esri.client.post("/uploads", data=b"a,b\n", headers={"Content-Type": "text/csv"}).json["href"]
    assert esri.post(f"{task('measure')}/execute", table=json.dumps({"url": upload}))["results"][0]["value"] == 4


def test_a_running_job_tells_how_far_it_is_and_is_cancelled(esri: Esri, working: Geomill) -> None:
    job_id = esri.submit("endless")
    at = f"{task('endless')}/jobs/{job_id}"
    found = until(lambda: found if (found := esri.get(at)).get("progress", {}).get("percent") else None)
    assert found["jobStatus"] == "esriJobExecuting"
    assert found["progress"] == {"type": "step", "message": "halfway, nearly", "percent": 40}
    told = until(lambda: [each for each in esri.get(at)["messages"] if each["description"] == "a line of the log"])
    assert told == [{"type": "esriJobMessageTypeInformative", "description": "a line of the log"}]
    assert esri.get(at, returnMessages="false")["messages"] == []
    assert esri.get(f"{at}/results/result")["error"]["code"] == 404
    assert esri.post(f"{at}/cancel") == {"jobId": job_id, "jobStatus": "esriJobCancelled"}
    assert esri.get(at)["jobStatus"] == "esriJobCancelled"
    again = esri.post(f"{at}/cancel")["error"]
    assert again["code"] == 400 and "has ended, dismissed" in again["details"][0]
    assert not working.jobs.has_supervisor(uuid_of(job_id))


@pytest.mark.parametrize(
    "process, form, state, words",
    [
        ("failing", {"text": "this"}, "esriJobFailed", "text: this is no good"),
        ("limited", {}, "esriJobTimedOut", "time limit"),
    ],
)
def test_a_job_that_failed_says_why(esri: Esri, ended: Ended, process: str, form: Json, state: str, words: str) -> None:
    job_id = ended(process, **form)
    found = esri.get(f"{task(process)}/jobs/{job_id}")
    assert found["jobStatus"] == state and "results" not in found
    assert found["messages"][-1]["type"] == "esriJobMessageTypeError"
    assert words in found["messages"][-1]["description"]
    assert esri.get(f"{task(process)}/jobs/{job_id}/results/result")["error"]["code"] in (400, 504)
    assert esri.get(f"{task(process)}/jobs/{job_id}/results")["error"]["code"] in (400, 504)
    error = esri.post(f"{task(process)}/execute", **form)["error"]
    assert error["code"] in (400, 504) and words in error["details"][0]
    job = re.fullmatch(r"It is the job (j[0-9a-f]{32})\.", error["details"][1])
    assert job is not None
    told = esri.get(f"{task(process)}/jobs/{job[1]}")
    assert told["jobStatus"] == state
    assert {each["description"] for each in told["messages"]} <= set(error["details"])


def test_the_log_of_a_task_that_failed_is_among_the_details(esri: Esri) -> None:
    details = esri.post(f"{task('talkative')}/execute")["error"]["details"]
    assert details[0].endswith("no more to say") and "what it said before" in details


def test_results_and_inputs_are_given_all_at_once(esri: Esri, ended: Ended) -> None:
    job_id = ended("kinds", text="hi", whole="7")
    at = f"{task('kinds')}/jobs/{job_id}"
    for what in ("results", "inputs"):
        found: Any = esri.get(f"{at}/{what}")
        names = list(esri.get(at)[what])
        assert found == [esri.get(f"{at}/{what}/{name}") for name in names]
        assert esri.post(f"{at}/{what}") == found
    assert esri.get(f"{task('kinds')}/jobs/j{'0' * 32}/results")["error"]["code"] == 404


def test_features_of_several_kinds_are_shown_as_they_were_given(esri: Esri) -> None:
    shapes = [{"type": "Point", "coordinates": [8, 47]}, {"type": "LineString", "coordinates": [[8, 47], [9, 47]]}]
    given = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": each, "properties": {}} for each in shapes
    ]}  # fmt: skip
    job_id = esri.submit("same", features=json.dumps(given))
    assert esri.get(f"{task('same')}/jobs/{job_id}/inputs/features")["value"] == given


@pytest.mark.parametrize("empty", ["{}", "[]"])
def test_a_feature_with_an_empty_geometry_is_a_result(esri: Esri, empty: str) -> None:
    """However a process writes it."""
    (found,) = esri.post(f"{task('hollow')}/execute", geometry=empty)["results"]
    assert found["value"]["features"] == [{"attributes": {"name": "none"}}]


def test_a_file_that_is_refused_is_told_by_the_status(esri: Esri, ended: Ended, working: Geomill) -> None:
    at = f"{task('scene')}/jobs/{ended('scene')}/files"
    for path, status in ((f"{at}/none.tif", 404), (f"{at}/scene.tif?f=xml", 400), (f"{at}/a/../../x", 404)):
        answer = esri.client.get(path, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.mimetype) == (status, "application/json"), path
        assert answer.json["error"]["code"] == status
    page = esri.client.get(f"{at}/none.tif?f=html")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    past = esri.client.get(
        f"{esri.get(at.replace('files', 'results/scene'))['value']['url']}", headers={"Range": "bytes=99-"}
    )
    assert past.status_code == 416 and past.headers["Content-Range"]


def test_what_cannot_be_waited_for_says_so(esri: Esri) -> None:
    error = esri.post(f"{task('later')}/execute")["error"]
    assert error["code"] == 422 and "use submitJob" in error["details"][0]


@pytest.mark.parametrize(
    "form, words",
    [
        ({}, "text: is required"),
        ({"text": "a", "whole": "x"}, "whole: must be a whole number"),
        ({"text": "a", "whole": "11"}, "whole: must be at most 10"),
        ({"text": "a", "colour": "blue"}, "colour: must be"),
        ({"text": "a", "hole": "1"}, "hole: is no parameter of this task"),
        ({"text": "a", "moment": "soon"}, "moment: "),
        ({"text": "a", "f_": "a", "env:outSR": "3857"}, "env:outSR: has the spatial reference wkid 3857"),
        ({"text": "a", "context": '{"outSR": {"wkid": 102100}}'}, "context: has the spatial reference wkid 102100"),
        ({"text": "a", "context": "{"}, "context: "),
        ({"text": ["a", "b"]}, "text: is given 2 values"),
        ({"text": "a", "callback": "run"}, "callback: "),
        ({"text": "a", "record": '{"a": ' * 100}, "record: "),
    ],
)
def test_what_is_wrong_with_a_request_is_told(esri: Esri, form: Json, words: str) -> None:
    found = esri.post(f"{task('kinds')}/submitJob", **form)
    assert list(found) == ["error"] and list(found["error"]) == ["code", "message", "details"]
    assert found["error"]["code"] == 400
    assert found["error"]["details"][0].startswith(words)


@pytest.mark.parametrize(
    "path, code",
    [
        (f"{REST}/none/GPServer", 404),
        (f"{REST}/kinds/GPServer/none", 404),
        (f"{REST}/kinds/GPServer/kinds/jobs/j{'0' * 32}", 404),
        (f"{REST}/kinds/GPServer/kinds/jobs/none", 404),
        (f"{REST}/kinds/GPServer/kinds/jobs/%2e%2e%2f/results/a", 404),
        ("/arcgis/rest/nothing", 404),
        ("/arcgis/nothing", 404),
    ],
)
def test_what_is_not_there_is_told_with_the_status_200(esri: Esri, path: str, code: int) -> None:
    assert esri.get(path)["error"]["code"] == code


def test_a_job_is_its_own_services_alone(esri: Esri, ended: Ended) -> None:
    job_id = ended("brief")
    assert esri.get(f"{task('echo')}/jobs/{job_id}")["error"]["code"] == 404
    assert esri.post(f"{ADMIN}/echo.GPServer/jobs/{job_id}/delete")["code"] == 400
    assert esri.get(f"{task('brief')}/jobs/{job_id}/results/none")["error"]["code"] == 400
    assert esri.get(f"{task('brief')}/jobs/{job_id}/inputs/none")["error"]["code"] == 404


@pytest.mark.parametrize("query", ["f=xml", "f=geojson"])
def test_another_format_is_told(esri: Esri, query: str) -> None:
    found = esri.client.get(f"{REST}?{query}").json["error"]
    assert found["code"] == 400 and found["details"][0].endswith("is not one of html, json, pjson")


@pytest.mark.parametrize("asked", ["JSON", "Json"])
def test_a_format_is_named_in_any_case(esri: Esri, asked: str) -> None:
    assert esri.client.get(f"{REST}?f={asked}").json["services"]
    assert esri.client.post(REST, data={"f": asked}).json["services"]
    assert esri.client.get(f"{REST}/none/GPServer?f={asked}").json["error"]["code"] == 404


def test_above_the_services_there_is_what_there_is(esri: Esri, working: Geomill) -> None:
    for path in ("/arcgis", "/arcgis/rest"):
        assert esri.get(path) == esri.post(path) == esri.get(REST)
    assert esri.get("/arcgis/admin")["resources"] == ["services"]
    ids = [each.id for each in working.processes.list()]
    assert [each["serviceName"] for each in esri.get(ADMIN)["services"]] == ids
    assert esri.get(f"{ADMIN}/default") == esri.get(ADMIN)


def test_a_job_that_is_not_there_is_named_as_it_was_asked_for(esri: Esri) -> None:
    job_id = f"j{'0' * 32}"
    assert job_id in esri.get(f"{task('kinds')}/jobs/{job_id}")["error"]["details"][0]
    assert job_id in esri.client.get(f"{task('kinds')}/jobs/{job_id}").text
    assert job_id in esri.get(f"{ADMIN}/kinds.GPServer/jobs/{job_id}")["messages"][0]


def test_json_for_people_is_indented(esri: Esri) -> None:
    assert esri.client.get("/arcgis/rest/info?f=pjson").text.startswith('{\n  "currentVersion"')


@pytest.mark.parametrize("content_type, data", [("application/json", b'{"text": "a"}'), ("text/plain", b"f=json")])
def test_parameters_come_as_a_form(esri: Esri, content_type: str, data: bytes) -> None:
    found = esri.client.post(f"{task('kinds')}/submitJob?f=json", data=data, content_type=content_type)
    assert found.status_code == 200 and "as a form" in found.text
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        sent = esri.client.post(f"{task('kinds')}/execute", data={"f": "json", "text": "a"}, content_type=kind).json
        assert sent["results"]


@pytest.mark.parametrize("data", [b"&" * 6000, b"\xff=%zz&f=json", b"f=json&" + b"a" * 600_000])
def test_a_hostile_form_is_no_error_of_the_server(esri: Esri, data: bytes) -> None:
    answer = esri.client.post(
        f"{task('kinds')}/submitJob?f=json", data=data, content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json["error"]["code"]) == (200, 400)


def test_a_form_has_a_bound_and_no_files(esri: Esri) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\na\r\n'
    of_files, of_many = part % (b"text", b'; filename="a"'), b"".join(part % (b"a%d" % n, b"") for n in range(6000))
    for parts, words in ((of_files, "/uploads"), (of_many, "more than 5000 entries")):
        answer = esri.client.post(
            f"{task('kinds')}/submitJob?f=json", data=parts + b"--x--", content_type="multipart/form-data; boundary=x"
        )
        assert (answer.json["error"]["code"], words in answer.json["error"]["details"][0]) == (400, True)


def test_nothing_is_served_where_the_setting_says_so(start: Any) -> None:
    client = start(arcgis=False).test_client()
    assert client.get("/arcgis/rest/info?f=json").status_code == 404


def test_a_tenant_has_services_of_its_own(start: Any) -> None:
    esri, prefix = Esri(start(tenants=("acme",)).test_client()), "/acme/ogc-api"
    job_id = esri.post(f"{prefix}{task('echo')}/submitJob", echoInput="a")["jobId"]
    assert esri.get(f"{prefix}{task('echo')}/jobs/{job_id}")["jobStatus"] == "esriJobSubmitted"
    assert esri.get(f"{task('echo')}/jobs/{job_id}")["error"]["code"] == 404
    record = esri.get(f"{prefix}{ADMIN}/acme/echo.GPServer/jobs/{job_id}")
    assert record["url"] == f"http://localhost{prefix}{task('echo')}/jobs/{job_id}"
    (said,) = esri.get(f"{prefix}{ADMIN}/default/echo.GPServer/jobs/{job_id}")["messages"]
    assert said == "There is no folder 'default': services are in none, or in 'acme', which is the same."
    for path in ("/arcgis", "/arcgis/admin", ADMIN, f"{ADMIN}/acme"):
        assert f"localhost{prefix}/arcgis" in esri.client.get(prefix + path).text


def test_a_queue_that_is_full_says_when_to_come_again(start: Any) -> None:
    client = start(max_queued=1).test_client()
    Esri(client).submit("echo", echoInput="a")
    answer = client.post(f"{task('echo')}/submitJob", data={"f": "json", "echoInput": "a"})
    assert (answer.status_code, answer.json["error"]["code"]) == (200, 503)
    assert int(answer.headers["Retry-After"]) > 0
