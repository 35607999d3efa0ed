"""The client and servers that are not ours."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from support.web import pages

from geomill.client import Client, File, InputError, JobFailed, ServiceError, Unreachable

LINKS = [{"rel": "service-desc", "href": "/api"}]
KEYS: dict[str, Any] = {
    "paths": {
        "/processes/{processID}/execution": {"post": {"parameters": [{"name": "Idempotency-Key", "in": "header"}]}}
    }
}


def posts(service: Any) -> list[Any]:
    return [seen for seen in service.seen if seen[0] == "POST"]


@pytest.mark.parametrize(
    "quirks",
    [
        {},
        {"prefix": "/ogc/v1"},
        {"location": "relative", "prefix": "/ogc"},
        {"location": "none"},
        {"location": "none", "name": "id"},
        {"location": "elsewhere"},
        {"body": False},
        {"body": False, "location": "elsewhere"},
        {"ending": ("queued", "STARTED", "succeeded")},
        {"rest": "0"},
        {"rest": "soon"},
        {"busy": 2},
        {"silent": 4},
        {"links": 5},
        {"links": [{"rel": "uploads", "href": "http://["}]},
        {"results": {"outputs": [{"id": "twice", "value": 4}]}},
    ],
)
def test_a_job_of_any_server_is_followed_to_its_results(stranger: Any, quirks: dict[str, Any]) -> None:
    service = stranger(**quirks)
    job = Client(f"{service.url}/").execute("double", number=2)
    assert (job.id, job.url) == ("j1", f"{service.url}/jobs/j1")
    assert job.results() == {"twice": 4}
    assert job.status == "successful"
    (post,) = posts(service)
    assert (post[2]["Prefer"], post[3]["inputs"]) == ("respond-async", {"number": 2})


@pytest.mark.parametrize("results", [{"twice": 4}, {"twice": {"value": 4}}, {"outputs": [{"id": "twice", "value": 4}]}])
def test_a_server_that_executes_at_once_gives_a_job_that_has_ended(stranger: Any, results: object) -> None:
    job = Client(stranger(asynchronous=False, results=results).url).execute("double", number=2)
    assert (job.id, job.status, job.wait() is job) == (None, "successful", True)
    assert job.results() == {"twice": 4}
    for ask in (job.logs, job.dismiss, job.remove):
        with pytest.raises(ServiceError, match="kept no job"):
            ask()


def test_one_raw_result_is_a_file(stranger: Any, tmp_path: Path) -> None:
    job = Client(stranger(results=b"\x89PNG", results_type="image/png").url).execute("double", number=2)
    (found,) = job.results().values()
    assert isinstance(found, File) and (found.read(), found.href, found.media_type) == (b"\x89PNG", None, "image/png")
    assert job.save(tmp_path) == [tmp_path / "result.png"]


@pytest.mark.parametrize("quirks", [{}, {"deletes": 204}, {"deletes": 204, "forgets": True}, {"forgets": True}])
def test_a_job_is_dismissed_and_removed_whatever_delete_answers(stranger: Any, quirks: dict[str, Any]) -> None:
    service = stranger(ending=("accepted", *["running"] * 9, "successful"), **quirks)
    job = Client(service.url).execute("double", number=2)
    assert job.dismiss().status == "dismissed"
    service.ended.clear()
    service.jobs["j1"] = 10
    Client(service.url).job("j1").remove()
    assert not service.jobs


def test_results_are_not_asked_for_where_links_lead_to_another_server(stranger: Any) -> None:
    service, elsewhere = stranger(), stranger()
    service.status_links = [{"rel": "results", "href": f"{elsewhere.url}/jobs/j1/results"}]
    assert Client(service.url, token="t").execute("double", number=2).results() == {"twice": 4}
    assert not elsewhere.seen


def test_a_failure_is_told_without_a_log(stranger: Any) -> None:
    job = Client(stranger(ending=("accepted", "FAILED")).url).execute("double", number=2)
    with pytest.raises(JobFailed, match=r"^the job failed: it is \[31mFAILED$") as failed:
        job.wait()
    assert failed.value.log == []


def test_an_execution_that_gets_no_answer_is_not_sent_again(stranger: Any) -> None:
    service = stranger(breaks=1)
    with pytest.raises(Unreachable, match="cannot be reached"):
        Client(service.url).execute("double", number=2)
    assert len(posts(service)) == 1


def test_an_execution_is_sent_again_where_the_server_knows_its_key(stranger: Any) -> None:
    service = stranger(breaks=1, links=LINKS, definition=KEYS)
    assert Client(service.url).execute("double", number=2).results() == {"twice": 4}
    assert len(posts(service)) == 2 and len(service.executed) == 1


@pytest.mark.parametrize(
    "definition",
    [{"paths": []}, {"paths": {"/processes/{id}/execution": None}}, {"paths": {}}, {"info": 1}, {"paths": None}],
)
def test_a_definition_that_does_not_tell_of_keys_allows_nothing(stranger: Any, definition: dict[str, Any]) -> None:
    service = stranger(breaks=1, links=LINKS, definition=definition)
    with pytest.raises(Unreachable):
        Client(service.url).execute("double", number=2)
    assert len(posts(service)) == 1


def test_our_servers_tell_that_they_know_keys(url: str) -> None:
    from geomill.client.remote import Remote

    assert Remote(url)._knows_keys()


def test_a_page_that_says_nothing_of_a_job_is_no_status() -> None:
    with pages({"/jobs/1": (200, {"Content-Type": "application/json"}, b"{}")}) as url:
        with pytest.raises(ServiceError, match="expected the status of a job"):
            Client(url).job("1")


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"\xff", b"[" * 100_000, b'{"processes": {"a": 1}, "links": 5}', b'{"title": "home"}']
)
def test_a_page_that_is_no_list_of_processes_is_an_error(body: bytes) -> None:
    with pages({"/processes": (200, {"Content-Type": "text/html"}, body)}) as url:
        with pytest.raises(ServiceError, match=r"expected (JSON|a JSON object|a list of processes)"):
            Client(url).processes()


@pytest.mark.parametrize(
    "body", [b"no", b"{}", b'{"title": 5}', b'{"detail": ["x"]}', b'{"code": "a", "description": "b"}']
)
def test_any_error_is_an_error_with_its_status(body: bytes) -> None:
    with pages({"/processes": (418, {}, body)}) as url:
        with pytest.raises(ServiceError) as refused:
            Client(url).processes()
    assert refused.value.status == 418 and str(refused.value)


def test_what_only_reads_is_asked_again_when_the_server_says_when() -> None:
    heard: list[Any] = []
    with pages({"/processes": (503, {"Retry-After": "0"}, b"{}")}, heard) as url:
        with pytest.raises(ServiceError) as refused:
            Client(url).processes()
    assert (refused.value.status, len(heard)) == (503, 3)


@pytest.mark.parametrize("href", ["s3://bucket/a", "file:///etc/passwd", "http://[", "http://a b/", "gopher://x"])
def test_links_that_are_not_of_the_web_are_not_followed(stranger: Any, tmp_path: Path, href: str) -> None:
    service = stranger(results={"image": {"href": href}})
    job = Client(service.url, progress=False).execute("double", number=2)
    with pytest.raises(ServiceError):
        job.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_outputs_whose_names_leave_the_same_file_are_both_kept(stranger: Any, tmp_path: Path) -> None:
    service = stranger(results={"a/b": 1, "a?b": 2, "../../c": 3, "x" * 5000: 4})
    saved = Client(service.url, progress=False).execute("double", number=2).save(tmp_path)
    assert [json.loads(path.read_text()) for path in saved] == [1, 2, 3, 4]
    assert sorted(tmp_path.iterdir()) == sorted(saved)


def test_a_file_goes_into_the_request_where_the_server_takes_none(stranger: Any, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"x" * 100_000)
    schema = {"type": "string", "contentEncoding": "binary"}
    service = stranger(description={"id": "double", "inputs": {"file": {"schema": schema}}})
    Client(service.url).execute("double", file=tmp_path / "a.tif")
    (post,) = posts(service)
    assert (post[3]["inputs"]["file"]["encoding"], post[3]["inputs"]["file"]["mediaType"]) == ("base64", "image/tiff")


def test_a_bar_is_drawn_on_a_terminal(stranger: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", screen := Terminal())
    Client(stranger().url).execute("double", number=2).wait()
    drawn = screen.getvalue().split("\r\x1b[K")
    assert drawn[1] == f"running    [{'-' * 30}]   0 %  it is [31mrunning" and drawn[-1] == ""


def test_a_server_is_named_by_an_address_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("ftp://example.org", "example.org", "http://", "http://[", "", Path("/x"), b"http://127.0.0.1:1"):
        with pytest.raises(InputError, match="address"):
            Client(address)  # type: ignore[arg-type]
    monkeypatch.setenv("GEOMILL_SERVER", "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="http://127.0.0.1:1/processes: cannot be reached: Connection refused"):
        Client().processes()


@pytest.mark.parametrize("address", ["{}/#top", "{}#top", " {}/\n", "{}/?"])
def test_what_no_request_has_is_left_out_of_an_address(stranger: Any, address: str) -> None:
    service = stranger()
    assert [each.id for each in Client(address.format(service.url)).processes()] == ["double", "other"]


def test_a_query_is_no_part_of_an_address() -> None:
    with pytest.raises(InputError, match=r"^http://127.0.0.1:1: expected this without a query") as refused:
        Client("http://127.0.0.1:1/?key=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["ann:secret@127.0.0.1:1", "ann:se#secret@h", "ann:[secret@h", "ann:0/secret@h"])
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InputError) as refused:
        Client(f"http://{address}")
    assert "secret" not in str(refused.value)


WILD: list[Any] = [None, 5, "text", [], [5], {"a": 5}, {"schema": 5}, {"schema": {"enum": 5, "type": {}, "allOf": [5]}}]


@pytest.mark.parametrize("inputs", [5, [], {"number": 5}, *({"number": each} for each in WILD)])
def test_a_description_of_any_shape_is_shown_and_executed(stranger: Any, inputs: Any) -> None:
    process = Client(stranger(description={"id": "double", "inputs": inputs, "outputs": 5, "links": {}}).url).process(
        "double"
    )
    assert "double" in repr(process.description()) and "double" in process._repr_html_()
    assert process.execute(number=2).results() == {"twice": 4}


@pytest.mark.parametrize(
    "request_", [{"inputs": [1]}, {"inputs": {"a": Path("a")}}, {"outputs": object()}, {"limits": float("nan")}]
)
def test_a_request_that_is_no_json_is_refused(stranger: Any, request_: dict[str, Any]) -> None:
    service = stranger()
    with pytest.raises(InputError, match="^request: "):
        Client(service.url).execute("double", request=request_)
    with pytest.raises(InputError, match="in a mapping"):
        Client(service.url).execute("double", [1])  # type: ignore[arg-type]
    assert not posts(service)


WRONG: list[Any] = [
    lambda client: client.execute(None), lambda client: client.execute(""), lambda client: client.execute(".."),
    lambda client: client.execute("\ud800"), lambda client: client.process(5), lambda client: client.job(None),
    lambda client: client.job(".."), lambda client: client.job(""), lambda client: client.jobs(limit=-1),
    lambda client: client.jobs(limit="5"), lambda client: client.execute("double", {5: 1}),
    lambda client: client.execute("double", {None: 1}), lambda client: client.execute("double", request=[1]),
    lambda client: client.execute("double", outputs=5), lambda client: client.execute("double", outputs=[1]),
    lambda client: Client(client.url, b"token"),
]  # fmt: skip


@pytest.mark.parametrize("call", WRONG)
def test_what_cannot_be_asked_is_an_input_error(stranger: Any, call: Any) -> None:
    service = stranger()
    with pytest.raises(InputError):
        call(Client(service.url))
    assert not posts(service)


def test_a_job_by_an_address_that_is_none_is_an_error(stranger: Any) -> None:
    with pytest.raises(ServiceError, match="is no address"):
        Client(stranger().url).job("http://[x/jobs/1")


def test_a_time_that_is_no_number_is_no_time_to_wait(stranger: Any) -> None:
    job = Client(stranger(ending=["running"]).url, progress=False).execute("double", number=2)
    with pytest.raises(ValueError, match="timeout: expected seconds"):
        job.wait(float("nan"))


def test_a_description_without_an_id_is_that_of_the_process_that_was_asked_for(stranger: Any) -> None:
    service = stranger(description={"inputs": {"number": {"schema": {"type": "number"}}}})
    assert Client(service.url).execute("double", number=2).results() == {"twice": 4}
    assert posts(service)[0][1] == "/processes/double/execution"


def test_errors_can_be_sent_between_processes() -> None:
    for error in (JobFailed("it failed", {"status": "failed"}, ["a line"]), ServiceError("no", 404, "t", "T", "d")):
        again = pickle.loads(pickle.dumps(error))
        assert (str(again), vars(again)) == (str(error), vars(error))
