"""What subscribers are told, by a server that runs. /req/callback/job-callback"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook
from support.mills import Mill
from support.receivers import Receiver, receiving, talking
from support.waiting import until

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens

ASYNC = {"Prefer": "respond-async"}


def subscriber(receiver: Receiver) -> dict[str, str]:
    return {name: f"{receiver.url}/{name}" for name in ("successUri", "inProgressUri", "failedUri")}


def submit(mill: Mill, receiver: Receiver, process: str = "echo", body: Any = None, **headers: str) -> str:
    given = {"inputs": {"echoInput": "hi"} if process == "echo" else {}, "subscriber": subscriber(receiver)}
    reply = mill.call("POST", f"/processes/{process}/execution", {**given, **(body or {})}, **(headers or ASYNC))
    assert reply.status == 201, reply.data
    return str(reply.json()["jobID"])


def told(mill: Mill, job_id: str) -> dict[str, Any]:
    """The document of the callbacks, when there is nothing more to come."""
    return dict(until(lambda: found if not (found := callbacks(mill, job_id))["pending"] else None))


def callbacks(mill: Mill, job_id: str) -> dict[str, Any]:
    reply = mill.call("GET", f"/jobs/{job_id}/callbacks")
    assert reply.status == 200, reply.data
    return dict(reply.json())


def verified(mill: Mill, heard: Any) -> Any:
    secret = mill.call("GET", "/callback-secret").json()["secret"]
    return Webhook(secret).verify(heard.body.decode(), heard.headers)


def test_results_arrive_signed(mill: Mill, receiver: Receiver) -> None:
    job_id = submit(mill, receiver)
    (heard,) = receiver.wait("/successUri")
    assert verified(mill, heard) == mill.call("GET", f"/jobs/{job_id}/results").json() == {"echoInput": "hi"}
    assert heard.id == f"{job_id}-success"
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["link"] == f'<{mill.url}/jobs/{job_id}>; rel="monitor"'
    found = told(mill, job_id)
    (delivery,) = [each for each in found["deliveries"] if each["event"] == "success"]
    assert (delivery["outcome"], len(delivery["attempts"])) == ("delivered", 1)
    assert not receiver.at("/failedUri")


@pytest.mark.parametrize(
    "body",
    [
        {"response": "raw"},
        {"response": "document"},
        {"outputs": {"echoInput": {"transmissionMode": "value"}}},
        {"outputs": {"echoInput": {}}},
    ],
)
def test_it_is_a_results_document_whatever_the_answer_would_be(
    mill: Mill, receiver: Receiver, body: dict[str, Any]
) -> None:
    submit(mill, receiver, body=body)
    assert receiver.wait("/successUri")[0].document == {"echoInput": "hi"}


def test_of_no_outputs_nothing_is_told(mill: Mill, receiver: Receiver) -> None:
    submit(mill, receiver, body={"outputs": {}})
    assert receiver.wait("/successUri")[0].document == {}


def test_files_are_links_that_lead_there(mill: Mill, receiver: Receiver) -> None:
    submit(mill, receiver, "two")
    document = receiver.wait("/successUri")[0].document
    (file,) = [each for each in document.values() if isinstance(each, dict)]
    assert 7 in document.values()
    assert mill.call("GET", file["href"].removeprefix(mill.url)).data == b"hello"


def test_files_are_inside_where_that_was_preferred(mill: Mill, receiver: Receiver) -> None:
    submit(mill, receiver, "two", Prefer="respond-async, return=representation")
    document = receiver.wait("/successUri")[0].document
    assert "hello" in json.dumps(document)


def test_a_failure_arrives_as_the_problem_that_it_is(mill: Mill, receiver: Receiver) -> None:
    job_id = submit(mill, receiver, "refuse")
    (heard,) = receiver.wait("/failedUri")
    problem = mill.call("GET", f"/jobs/{job_id}/results").json()
    assert verified(mill, heard) == problem
    assert "there is nothing to be had" in problem["detail"]
    assert problem["instance"] == f"{mill.url}/jobs/{job_id}"
    assert not receiver.at("/successUri")


def test_progress_then_the_end(mill: Mill, receiver: Receiver, tmp_path: Path) -> None:
    job_id = submit(mill, receiver, "hold", {"inputs": {"until": str(tmp_path / "go")}})
    until(lambda: any(each.document.get("progress") == 10 for each in receiver.at("/inProgressUri")), 60)
    for each in receiver.at("/inProgressUri"):
        document = verified(mill, each)
        assert (document["jobID"], document["status"]) == (job_id, "running")
    (tmp_path / "go").touch()
    receiver.wait("/successUri")
    assert [each.path for each in receiver.heard][-1] == "/successUri"
    ids = [each.id for each in receiver.heard]
    assert len(set(ids)) == len(ids)


def test_who_waits_for_success_hears_of_a_dismissal(mill: Mill, receiver: Receiver, tmp_path: Path) -> None:
    job_id = submit(mill, receiver, "hold", {"inputs": {"until": str(tmp_path / "go")}})
    mill.message(job_id, "holding")
    assert mill.call("DELETE", f"/jobs/{job_id}").json()["status"] == "dismissed"
    problem = receiver.wait("/failedUri")[0].document
    assert problem.pop("instance") == f"{mill.url}/jobs/{job_id}"
    assert problem == mill.call("GET", f"/jobs/{job_id}/results").json()
    assert problem["type"].endswith("/result-not-available")


def test_a_synchronous_execution_calls_back_too(mill: Mill, receiver: Receiver) -> None:
    body = {"inputs": {"echoInput": "now"}, "subscriber": subscriber(receiver)}
    assert mill.call("POST", "/processes/echo/execution", body).json() == {"echoInput": "now"}
    assert receiver.wait("/successUri")[0].document == {"echoInput": "now"}


def test_addresses_keep_the_prefix_that_the_client_used(mill: Mill, receiver: Receiver) -> None:
    acme = mill.of("acme")
    job_id = submit(acme, receiver)
    (heard,) = receiver.wait("/successUri")
    assert heard.headers["link"] == f'<{acme.url}/jobs/{job_id}>; rel="monitor"'
    assert verified(acme, heard) == {"echoInput": "hi"}
    assert told(acme, job_id)["deliveries"]


def test_a_retry_calls_back_anew(mill: Mill, receiver: Receiver) -> None:
    job_id = submit(mill, receiver, "refuse")
    receiver.wait("/failedUri")
    again = mill.call("POST", f"/jobs/{job_id}/retry").json()["jobID"]
    assert receiver.wait("/failedUri", 2)[1].id == f"{again}-failed"


def test_who_is_told_of_failures_alone_hears_nothing_of_success(mill: Mill, receiver: Receiver) -> None:
    job_id = submit(mill, receiver, body={"subscriber": {"failedUri": f"{receiver.url}/failedUri"}})
    mill.ended(job_id)
    assert told(mill, job_id)["deliveries"] == []
    assert receiver.heard == []


def test_a_misspelt_member_of_the_standard_is_understood(mill: Mill, receiver: Receiver) -> None:
    submit(mill, receiver, body={"subscriber": {"successUrl": f"{receiver.url}/successUri"}})
    assert receiver.wait("/successUri")[0].document == {"echoInput": "hi"}


def test_a_job_without_subscriber_has_none(mill: Mill) -> None:
    found = callbacks(mill, mill.submit("echo", echoInput="hi"))
    assert (found["subscriber"], found["pending"], found["deliveries"]) == ({}, False, [])


def test_what_fails_is_tried_again_under_the_same_id(mill: Mill, receiver: Receiver) -> None:
    receiver.answers = {"/successUri": [503, 404, 200]}
    job_id = submit(mill, receiver)
    heard = receiver.wait("/successUri", 3)
    assert {each.id for each in heard} == {f"{job_id}-success"}
    (delivery,) = [each for each in told(mill, job_id)["deliveries"] if each["event"] == "success"]
    assert [each["status"] for each in delivery["attempts"]] == [503, 404, 200]
    assert delivery["attempts"][0]["message"] == "it answered 503 Service Unavailable"
    assert mill.status(job_id)["status"] == "successful"


def test_a_receiver_that_is_gone_is_left_alone(mill: Mill, receiver: Receiver) -> None:
    receiver.answers = {"/successUri": [410]}
    job_id = submit(mill, receiver)
    (delivery,) = [each for each in told(mill, job_id)["deliveries"] if each["event"] == "success"]
    assert delivery["outcome"] == "given-up"
    assert len(receiver.at("/successUri")) == 1


def test_a_redirect_leads_nowhere(mill: Mill, receiver: Receiver) -> None:
    with receiving() as other:
        receiver.answers, receiver.location = {"/successUri": [307]}, f"{other.url}/stolen"
        job_id = submit(mill, receiver)
        receiver.wait("/successUri", 2)
        receiver.answers = {"/successUri": [200]}
        (delivery,) = [each for each in told(mill, job_id)["deliveries"] if each["event"] == "success"]
        assert "follows no redirect" in delivery["attempts"][0]["message"]
        assert other.heard == []


def test_who_is_slow_or_dead_keeps_nobody_waiting(mill: Mill, receiver: Receiver) -> None:
    with receiving() as slow, receiving() as dead:
        slow.slow = 30.0
        nowhere = Receiver(url=dead.url)
    with receiving() as slow:
        slow.slow = 30.0
        for _ in range(6):
            submit(mill, slow)
            submit(mill, nowhere)
        begun = time.monotonic()
        submit(mill, receiver)
        receiver.wait("/successUri")
        assert not slow.at("/successUri"), "the slow one has answered: this has shown nothing"
        assert time.monotonic() - begun < 30
        slow.slow = 0.0


def test_a_job_that_was_removed_is_not_told_of(mill: Mill, receiver: Receiver) -> None:
    receiver.answers = {"/successUri": [503]}
    job_id = submit(mill, receiver)
    receiver.wait("/successUri")
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    count = len(receiver.at("/successUri"))
    assert job_id not in mill.store.callbacks.expected()
    time.sleep(2.5)  # the next attempt would be after a second, at most
    assert len(receiver.at("/successUri")) <= count + 1  # one may have been on its way


@pytest.mark.parametrize("member", ["successUri", "inProgressUri", "failedUri"])
@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("http://10.1.2.3/hook", "is not a public address"),
        ("http://localhost:9/hook", "is not a public address"),
        ("http://user:word@127.0.0.1/hook", "a user name, a password"),
        ("http://example.org:25/hook", "port 25 is not of the web"),
        ("file:///etc/passwd", "must be an http or https address"),
        ("http://", "refused"),
        (7, "must be an http or https address"),
    ],
)
def test_where_nothing_may_be_sent_is_said_at_once(mill: Mill, member: str, uri: Any, words: str) -> None:
    body = {"inputs": {"echoInput": "hi"}, "subscriber": {member: uri}}
    reply = mill.call("POST", "/processes/echo/execution", body, **ASYNC)
    assert reply.status == 400, reply.data
    assert f"subscriber.{member}" in reply.json()["detail"]
    assert words in reply.json()["detail"]


def test_what_was_held_for_callbacks_is_let_go(mill: Mill, receiver: Receiver) -> None:
    """More than all attempts together may hold, one after the other."""
    for number in range(1, 6):
        submit(mill, receiver, "large", Prefer="respond-async, return=representation")
        heard = receiver.wait("/successUri", number)
        assert len(heard[-1].body) > 8_000_000


def test_a_receiver_that_speaks_no_http_is_not_quoted(mill: Mill) -> None:
    with talking(b"secret banner" + b"\n") as url:
        job_id = submit(mill, Receiver(url=url))
        mill.ended(job_id)
        until(lambda: callbacks(mill, job_id)["deliveries"])
        (attempt, *_) = callbacks(mill, job_id)["deliveries"][-1]["attempts"]
        assert attempt["message"].endswith("its answer does not begin as one of HTTP does.")


def test_one_host_has_one_share_however_its_port_is_written(mill: Mill, receiver: Receiver) -> None:
    with receiving() as slow:
        slow.slow = 20.0
        host, _, port = slow.url.rpartition(":")
        for zeros in range(8):
            uri = f"{host}:{'0' * zeros}{port}/successUri"
            submit(mill, receiver, body={"subscriber": {"successUri": uri}})
        until(lambda: slow.begun >= 1)
        submit(mill, receiver)
        receiver.wait("/successUri")
        assert slow.begun <= 2
        slow.slow = 0.0


def test_a_member_that_there_is_none_of_is_named(mill: Mill) -> None:
    body = {"inputs": {"echoInput": "hi"}, "subscriber": {"succesUri": "http://127.0.0.1/"}}
    reply = mill.call("POST", "/processes/echo/execution", body, **ASYNC)
    assert (reply.status, '"succesUri"' in reply.json()["detail"]) == (400, True)


def test_a_torn_mark_is_told_to_who_runs_the_server(mill: Mill, receiver: Receiver) -> None:
    receiver.answers = {"/successUri": [503]}
    for content in (b"", b"\xff\x00" * 50):
        job_id = submit(mill, receiver, "refuse")  # nothing is read again of one that is followed
        receiver.wait("/failedUri")
        until(lambda: job_id not in mill.store.callbacks.expected())  # noqa: B023
        (mill.store.callbacks.folder / job_id).write_bytes(content)
        until(lambda: job_id not in mill.store.callbacks.expected())  # noqa: B023


def test_the_secret_is_for_nobody_else(mill: Mill) -> None:
    foreign = mill.call("GET", "/callback-secret", Origin="https://evil.example")
    assert (foreign.status, "whsec" in foreign.data.decode()) == (403, False)
    for accept in ("application/json", "text/html"):
        answer = mill.call("GET", "/callback-secret", Origin=mill.url, Accept=accept)
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")


def test_who_is_not_known_has_no_secret(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", anonymous="executor")
    app = create_app(settings)
    tokens = Tokens(settings.home)
    ann, carl = tokens.create("ann", Role.EXECUTOR, None, None), tokens.create("carl", Role.EXECUTOR, "acme", None)
    client = app.test_client()

    def asked(token: str) -> tuple[int, bool]:
        answer = client.get("/callback-secret", headers={"Authorization": f"Bearer {token}"} if token else {})
        return answer.status_code, "whsec_" in answer.text

    assert [asked(each) for each in (ann, carl, "")] == [(200, True), (401, False), (401, False)]


def test_the_log_shows_no_secret_of_an_address(mill: Mill, receiver: Receiver) -> None:
    uri = f"{receiver.url}/successUri?token=s3cret"
    job_id = submit(mill, receiver, body={"subscriber": {"successUri": uri}})
    receiver.wait("/successUri?token=s3cret")
    assert "s3cret" not in json.dumps(told(mill, job_id))


def test_people_see_it_too(mill: Mill, receiver: Receiver) -> None:
    job_id = submit(mill, receiver)
    told(mill, job_id)
    page = mill.call("GET", f"/jobs/{job_id}/callbacks", Accept="text/html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"delivered" in page.data
    assert f"/jobs/{job_id}/callbacks".encode() in mill.call("GET", f"/jobs/{job_id}", Accept="text/html").data
