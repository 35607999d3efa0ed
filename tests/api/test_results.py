"""Results: documents, single outputs, files."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from geomill.app.server import Geomill

Finished = Callable[[str, Any], str]

ADD = {"inputs": {"a": 1, "b": 2}}
BOTH = {"inputs": {"text": "t"}}


@pytest.mark.parametrize(
    "query, prefer, document",
    [
        ("", None, {"first": "t", "second": {"value": {"text": "t"}}}),
        ("?outputs=first", None, {"first": "t"}),
        ("?outputs=second,first", None, {"second": {"value": {"text": "t"}}, "first": "t"}),
        ("?outputs=first&outputs=second", None, {"first": "t", "second": {"value": {"text": "t"}}}),
    ],
)
def test_a_document_has_the_outputs_asked_for(
    worker: FlaskClient, finished: Finished, query: str, prefer: str | None, document: dict[str, object]
) -> None:
    answer = worker.get(finished("both", BOTH) + "/results" + query)
    assert (answer.status_code, answer.json) == (200, document)
    assert list(answer.json) == list(document)


def test_prefer_minimal_links_all_but_scalars(worker: FlaskClient, finished: Finished) -> None:
    results = finished("both", BOTH) + "/results"
    answer = worker.get(results, headers={"Prefer": "return=minimal"})
    assert answer.json["first"] == "t"
    assert answer.json["second"]["href"] == f"{results}/second"
    assert answer.headers["Preference-Applied"] == "return=minimal"
    assert worker.get(answer.json["second"]["href"]).json == {"text": "t"}


def test_one_output_has_an_address_of_its_own(worker: FlaskClient, finished: Finished) -> None:
    results = finished("add", ADD) + "/results"
    assert worker.get(results).json == {"result": 3}
    assert worker.get(f"{results}/result").json == 3


@pytest.mark.parametrize(
    "body, path, status, kind",
    [
        (BOTH, "/none", 400, "no-such-output"),
        (BOTH, "?outputs=none", 400, "no-such-output"),
        ({**BOTH, "outputs": {"first": {}}}, "/second", 404, "result-not-available"),
        ({**BOTH, "outputs": {"first": {}}}, "?outputs=second", 404, "result-not-available"),
        ({**BOTH, "outputs": {}}, "", 404, "result-not-available"),
        (BOTH, "/first/7", 404, "result-not-available"),
    ],
)
def test_an_output_that_is_not_there(
    worker: FlaskClient, finished: Finished, body: object, path: str, status: int, kind: str
) -> None:
    answer = worker.get(finished("both", body) + "/results" + path)
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (status, kind)


def test_several_files_are_links_to_each(worker: FlaskClient, finished: Finished) -> None:
    links = worker.get(finished("many", {}) + "/results").json["result"]
    assert [worker.get(link["href"]).text for link in links] == ["0", "1", "2"]
    assert [link["href"].rpartition("/")[2] for link in links] == ["0", "1", "2"]


def test_what_a_process_wrote_runs_no_script_of_ours(worker: FlaskClient, finished: Finished) -> None:
    page = worker.get(finished("page", {"inputs": {"text": "<script>"}}) + "/results/result")
    assert page.mimetype == "text/html"
    assert "sandbox" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Content-Disposition"] == "inline; filename=page.html"


@pytest.mark.parametrize(
    "wanted, status, body",
    [
        ("bytes=0-2", 206, b"012"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-1", 206, b"9"),
        ("bytes=-10", 206, b"0123456789"),
        ("bytes=-11", 206, b"0123456789"),  # RFC 9110, 14.1.2: all of it
        ("bytes=99-", 416, None),
    ],
)
def test_a_file_is_given_in_ranges(
    worker: FlaskClient, finished: Finished, wanted: str, status: int, body: bytes | None
) -> None:
    href = finished("page", {"inputs": {"text": "0123456789"}}) + "/results/result"
    answer = worker.get(href, headers={"Range": wanted})
    assert answer.status_code == status
    assert answer.headers["Content-Range"].endswith("/10")
    assert body is None or answer.data == body


def test_a_file_is_not_sent_again(worker: FlaskClient, finished: Finished) -> None:
    href = finished("page", {"inputs": {"text": "x"}}) + "/results/result"
    etag = worker.get(href).headers["ETag"]
    assert worker.get(href, headers={"If-None-Match": etag}).status_code == 304


def test_a_file_has_a_head(worker: FlaskClient, finished: Finished) -> None:
    head = worker.head(finished("page", {"inputs": {"text": "0123456789"}}) + "/results/result")
    assert (head.status_code, head.headers["Content-Length"], head.data) == (200, "10", b"")


def test_an_output_in_a_type_that_nobody_has_is_not_acceptable(worker: FlaskClient, finished: Finished) -> None:
    href = finished("page", {"inputs": {"text": "x"}}) + "/results/result"
    assert worker.get(href, headers={"Accept": "image/png"}).status_code == 406


def test_a_job_that_is_removed_while_its_results_are_read_was_there_or_was_not(
    working: Geomill, finished: Finished
) -> None:
    for _ in range(15):
        job = finished("page", {"inputs": {"text": "hello"}})
        asked = [("GET", f"{job}/results/result"), ("GET", f"{job}/results"), ("GET", f"{job}/prov")] * 2

        def ask(method: str, path: str) -> int:
            return working.test_client().open(path, method=method).status_code

        with ThreadPoolExecutor(7) as pool:
            reads = [pool.submit(ask, *each) for each in asked]
            removed = pool.submit(ask, "DELETE", job)
        assert removed.result() == 200
        assert {read.result() for read in reads} <= {200, 404}


def test_answers_hold_no_more_files_at_a_time_than_a_worker_can_bear(working: Geomill, finished: Finished) -> None:
    results = finished("large", {"inputs": {"size": 50 * 2**20}, "response": "document"}) + "/results"
    asking = FlaskClient(working, TestResponse)

    def ask() -> TestResponse:
        return asking.get(results, headers={"Prefer": "return=representation"}, buffered=False)

    sent = [ask(), ask()]  # by somebody who does not read them
    refused = ask()
    assert [reply.status_code for reply in (*sent, refused)] == [200, 200, 503]
    assert (refused.json["type"].rpartition("/")[2], refused.headers["Retry-After"]) == ("busy", "5")
    assert working.test_client().get(results, headers={"Prefer": "return=minimal"}).status_code == 200
    for reply in (*sent, refused):
        reply.close()
    again = ask()
    assert again.status_code == 200
    again.close()
    assert working.inlining.held == 0
