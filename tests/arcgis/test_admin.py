"""The jobs of a service for who runs the server: asked for, cancelled, deleted; and all of that in a race."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from arcgis.conftest import ADMIN, Esri, task, uuid_of
from support.stores import begin, bring_to, create
from support.variants import thorough
from support.waiting import holds, until

from geomill.app.server import Geomill
from geomill.jobstore import NoSuchJob, Status

Ended = Callable[..., str]
SUCCESS = {"status": "success"}


def jobs(process: str) -> str:
    return f"{ADMIN}/{process}.GPServer/jobs"


def unable(what: str, job_id: str, code: int) -> dict[str, Any]:
    return {"status": "error", "messages": [f"Unable to {what} job :[{job_id}]"], "code": code}


@pytest.fixture
def idle(app: Geomill) -> Esri:
    """An application whose jobs wait for ever."""
    return Esri(app.test_client())


def test_a_running_job_is_cancelled_and_its_record_is_kept(esri: Esri, working: Geomill) -> None:
    job_id = esri.submit("endless")
    until(lambda: working.jobs.status(uuid_of(job_id)).status is Status.RUNNING)
    assert esri.post(f"{jobs('endless')}/{job_id}/cancel") == SUCCESS
    assert not working.jobs.has_supervisor(uuid_of(job_id))
    assert esri.get(f"{jobs('endless')}/{job_id}")["status"] == "esriJobCancelled"
    assert esri.post(f"{jobs('endless')}/{job_id}/cancel") == unable("cancel", job_id, 500)
    assert working.jobs.request(uuid_of(job_id))


def test_a_job_that_waits_is_cancelled(idle: Esri) -> None:
    job_id = idle.submit("echo", echoInput="a")
    assert idle.post(f"{ADMIN}/default/echo.GPServer/jobs/{job_id}/cancel") == SUCCESS
    assert idle.get(f"{jobs('echo')}/{job_id}")["status"] == "esriJobCancelled"


@pytest.mark.parametrize("status", [Status.SUCCESSFUL, Status.FAILED, Status.DISMISSED])
def test_what_has_ended_cannot_be_cancelled(idle: Esri, app: Geomill, status: Status) -> None:
    job_id = create(app.jobs, durable=False)
    bring_to(app.jobs, job_id, status)
    esri_id = f"j{job_id.replace('-', '')}"
    assert idle.post(f"{jobs('echo')}/{esri_id}/cancel") == unable("cancel", esri_id, 500)
    assert app.jobs.status(job_id).status is status


@pytest.mark.parametrize("job_id", ["j290c2d4e60364xx2a0c735fb9b68428a", "j" + "0" * 32, "none", "J" + "A" * 32])
@pytest.mark.parametrize("what, code", [("cancel", 500), ("delete", 400)])
def test_what_is_no_job_is_named_as_it_was_sent(idle: Esri, job_id: str, what: str, code: int) -> None:
    assert idle.post(f"{ADMIN}/RasterUtilities.GPServer/jobs/{job_id}/{what}") == unable(what, job_id, code)


@pytest.mark.parametrize("what", ["cancel", "delete"])
def test_a_change_has_to_be_posted(idle: Esri, app: Geomill, what: str) -> None:
    job_id = idle.submit("echo", echoInput="a")
    found = idle.get(f"{jobs('echo')}/{job_id}/{what}")
    assert (list(found), found["code"]) == (["status", "messages", "code"], 405)
    assert idle.get(f"{jobs('echo')}/purgeQueue")["code"] == 405
    assert app.jobs.status(uuid_of(job_id)).status is Status.ACCEPTED


def test_a_job_is_deleted_with_every_trace(esri: Esri, working: Geomill) -> None:
    job_id = esri.submit("endless")
    until(lambda: working.jobs.status(uuid_of(job_id)).status is Status.RUNNING)
    assert esri.post(f"{jobs('endless')}/{job_id}/delete") == SUCCESS
    assert not working.jobs.folder(uuid_of(job_id)).exists()
    found = esri.get(f"{jobs('endless')}/{job_id}")
    assert (list(found), found["code"]) == (["status", "messages", "code"], 404)
    assert esri.post(f"{jobs('endless')}/{job_id}/delete") == unable("delete", job_id, 400)
    assert job_id not in str(esri.get(f"{jobs('endless')}/query", number="1000"))


def test_there_is_one_folder_at_most(idle: Esri) -> None:
    assert idle.get(f"{ADMIN}/Tools/echo.GPServer/jobs")["code"] == 404
    assert idle.get(f"{ADMIN}/none.GPServer/jobs")["code"] == 404
    assert idle.post(f"{ADMIN}/none.GPServer/jobs/purgeQueue")["code"] == 404
    assert idle.get(f"{ADMIN}/default/echo.GPServer/jobs") == {"resources": ["statistics"]}


def test_a_job_has_the_members_that_esri_names(esri: Esri, ended: Ended, working: Geomill) -> None:
    job_id = ended("brief")
    info = working.jobs.status(uuid_of(job_id))
    assert info.finished is not None
    assert esri.get(f"{jobs('brief')}/{job_id}") == {
        "jobId": job_id,
        "submittedTime": round(info.created.timestamp() * 1000),
        "endTime": round(info.finished.timestamp() * 1000),
        "status": "esriJobSucceeded",
        "username": None,
        "machinename": "localhost",
        "url": f"http://localhost{task('brief')}/jobs/{job_id}",
    }


@pytest.fixture
def several(app: Geomill) -> list[str]:
    """Jobs of a service, the oldest first, as ArcGIS calls them; and one of another."""
    made = []
    create(app.jobs, durable=False, process_id="buffer")
    of_ann = (Status.ACCEPTED, Status.SUCCESSFUL)
    for number, status in enumerate(Status):
        owner, age = "ann" if status in of_ann else "", 1000.0 - number
        job_id = create(app.jobs, durable=False, owner=owner, age=age)
        bring_to(app.jobs, job_id, status)
        made.append(f"j{job_id.replace('-', '')}")
    return made


def found(esri: Esri, **query: Any) -> list[str]:
    answer = esri.get(f"{jobs('echo')}/query", **query)
    assert list(answer) == ["total", "query", "num", "start", "nextStart", "results"], answer
    assert answer["query"] == {"serviceName": "echo", "serviceType": "GPServer"} | {
        name: str(value) for name, value in query.items() if name not in ("number", "start")
    }
    assert answer["num"] == len(answer["results"])
    return [each["jobId"] for each in answer["results"]]


def test_jobs_are_found_by_what_is_asked(idle: Esri, several: list[str]) -> None:
    accepted, lost, successful, failed, dismissed = several
    assert found(idle) == several[::-1]
    assert found(idle, jobStatus="Submitted") == found(idle, jobStatus="esriJobSubmitted") == [accepted]
    assert found(idle, jobStatus="esriJobSucceeded") == [successful]
    assert set(found(idle, jobStatus="Failed")) == {failed, lost}  # that one has no supervisor
    assert found(idle, jobStatus="Cancelled") == [dismissed]
    assert found(idle, jobStatus="New") == found(idle, jobStatus="Cancelling") == []
    assert found(idle, userName="ann") == [successful, accepted]
    assert found(idle, userName="null") == [dismissed, failed, lost]
    assert found(idle, machineName="elsewhere") == [] and len(found(idle, machineName="localhost")) == 5
    moment = idle.get(f"{jobs('echo')}/{successful}")["submittedTime"]
    assert found(idle, startTime=moment) == [dismissed, failed, successful]
    assert found(idle, endTime=moment) == [successful, lost, accepted]


def test_jobs_are_given_a_page_at_a_time(idle: Esri, several: list[str]) -> None:
    assert found(idle, number=2) == several[:2:-1]
    assert found(idle, number=2, start=3) == [several[2], several[1]]
    pages = [idle.get(f"{jobs('echo')}/query", number=2, start=start) for start in (1, 3, 5, 7)]
    assert [(page["total"], page["start"], page["nextStart"], page["num"]) for page in pages] == [
        *((5, 1, 3, 2), (5, 3, 5, 2)),
        *((5, 5, -1, 1), (5, 7, -1, 0)),
    ]


def test_states_of_one_status_are_told_apart_and_counted(idle: Esri, app: Geomill) -> None:
    made: dict[str, list[str]] = {"exception": [], "time-limit": []}
    for number, cause in enumerate(["exception", "time-limit", "exception", "time-limit", "exception"]):
        job_id = create(app.jobs, durable=False, age=100.0 - number)
        begin(app.jobs, job_id)
        app.jobs.move(job_id, Status.FAILED, cause=cause, message="it broke")
        made[cause].insert(0, f"j{job_id.replace('-', '')}")
    for name, cause in (("Failed", "exception"), ("TimedOut", "time-limit")):
        expected = made[cause]
        assert found(idle, jobStatus=name) == expected
        first = idle.get(f"{jobs('echo')}/query", jobStatus=name, number=1)
        assert (first["total"], first["nextStart"]) == (len(expected), 2)
        assert found(idle, jobStatus=name, number=1, start=2) == expected[1:2]
        assert {each["status"] for each in first["results"]} == {f"esriJob{name}"}


def test_what_is_being_cancelled_is_told_from_what_runs(esri: Esri, working: Geomill) -> None:
    one, other = esri.submit("endless"), esri.submit("endless")
    until(lambda: {working.jobs.status(uuid_of(each)).status for each in (one, other)} == {Status.RUNNING})
    assert set(query(esri, "Executing")) >= {one, other} and one not in query(esri, "Cancelling")
    working.jobs.ask_dismissal(uuid_of(one))  # and nobody tells its supervisor
    assert query(esri, "Cancelling") == [one]
    assert other in query(esri, "Executing") and one not in query(esri, "Executing")
    for each in (one, other):
        assert esri.post(f"{jobs('endless')}/{each}/delete") == SUCCESS


def query(esri: Esri, state: str) -> list[str]:
    """The jobs of a service in a state: as many as are said to be."""
    answer = esri.get(f"{jobs('endless')}/query", jobStatus=state, number=1000)
    assert answer["total"] == answer["num"] == len(answer["results"])
    return [each["jobId"] for each in answer["results"]]


def test_a_page_of_none_is_followed_by_none(idle: Esri, several: list[str]) -> None:
    answer = idle.get(f"{jobs('echo')}/query", number=0)
    assert (answer["total"], answer["num"], answer["nextStart"]) == (5, 0, -1)


@pytest.mark.parametrize(
    "name, value",
    [
        *(("number", "x"), ("start", "0"), ("start", "\u0665"), ("startTime", "today"), ("endTime", "9" * 30)),
        ("jobStatus", "Lost"),
    ],
)
def test_a_query_that_is_none_is_told(idle: Esri, name: str, value: str) -> None:
    answer = idle.get(f"{jobs('echo')}/query", **{name: value})
    assert (answer["status"], answer["code"]) == ("error", 400)
    assert answer["messages"][0].startswith(name)


def test_jobs_are_counted(idle: Esri, several: list[str]) -> None:
    found(idle)  # the one that was lost is noticed
    assert idle.post(f"{jobs('echo')}/statistics") == {"total": 5, "cancelled": 1, "failed": 2, "succeeded": 1}


def test_a_queue_is_purged(idle: Esri, app: Geomill) -> None:
    waiting = [idle.submit("echo", echoInput="a") for _ in range(3)]
    other = idle.submit("buffer", geometry='{"x": 8, "y": 47}', distance="5")
    assert idle.post(f"{jobs('echo')}/purgeQueue") == SUCCESS
    assert {app.jobs.status(uuid_of(each)).status for each in waiting} == {Status.DISMISSED}
    assert app.jobs.status(uuid_of(other)).status is Status.ACCEPTED


def test_a_purge_leaves_what_runs(esri: Esri, working: Geomill) -> None:
    job_id = esri.submit("endless")
    until(lambda: working.jobs.status(uuid_of(job_id)).status is Status.RUNNING)
    assert esri.post(f"{jobs('endless')}/purgeQueue") == SUCCESS
    assert working.jobs.status(uuid_of(job_id)).status is Status.RUNNING
    assert esri.post(f"{jobs('endless')}/{job_id}/delete") == SUCCESS


@pytest.mark.parametrize("times", [10, thorough(100)])
def test_of_cancelling_and_finishing_one_wins_and_nothing_is_lost(working: Geomill, times: int) -> None:
    """Whatever is asked at the moment that a job ends: the answer is true, the record is there, and no process is."""
    esri, at = Esri(working.test_client()), jobs("brief")
    for _ in range(times):
        job_id = esri.submit("brief", seconds=str(round(random.uniform(0, 0.05), 3)))
        job = uuid_of(job_id)
        if random.random() < 0.7:
            until(lambda: working.jobs.status(job).status is not Status.ACCEPTED)  # noqa: B023
        answer = esri.post(f"{at}/{job_id}/cancel")
        assert answer in (SUCCESS, unable("cancel", job_id, 500))
        info = working.jobs.status(job)
        assert (answer == SUCCESS) == (info.status is Status.DISMISSED)
        assert info.status.final
        # a supervisor that was on its way to a job that waited finds it dismissed, and turns back
        assert info.started or holds(lambda: not working.jobs.has_supervisor(job))  # noqa: B023
        assert not (answer == SUCCESS and working.jobs.has_supervisor(job))
        assert esri.get(f"{at}/{job_id}")["jobId"] == job_id
        if info.status is Status.SUCCESSFUL:
            assert esri.get(f"{task('brief')}/jobs/{job_id}/results/result")["value"] is not None


@pytest.mark.parametrize("times", [10, thorough(100)])
def test_of_many_who_delete_a_job_one_does_and_nothing_is_left(working: Geomill, times: int) -> None:
    def ask(path: str) -> Any:
        return Esri(working.test_client()).post(path)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(times):
            job_id = ask(f"{task('brief')}/submitJob")["jobId"]
            paths = [f"{jobs('brief')}/{job_id}/{what}" for what in ("delete", "cancel", "delete", "cancel")]
            answers = dict(enumerate(pool.map(ask, paths)))
            assert SUCCESS in (answers[0], answers[2])
            known = (SUCCESS, unable("delete", job_id, 400), unable("cancel", job_id, 500))
            assert all(answer in known for answer in answers.values())
            with pytest.raises(NoSuchJob):
                working.jobs.status(uuid_of(job_id))
            assert not working.jobs.folder(uuid_of(job_id)).exists()
