"""The client on a server that means harm."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from support import wicked
from support.web import pages

from geomill.client import Client, JobFailed, ServiceError, StillRunning, Unreachable
from geomill.client.reply import Reply
from geomill.client.service import PAGES


@pytest.fixture(scope="module")
def host() -> Iterator[Any]:
    with wicked.serving() as server:
        yield server


@pytest.fixture
def at(host: Any) -> Any:
    """The client of a kind of harm."""
    host.asked.clear()
    return lambda kind, **options: Client(f"{host.url}/{kind}", progress=False, **options)


@pytest.mark.parametrize("kind", ["digits", "future"])
def test_a_server_that_is_busy_for_ever_is_busy(at: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geomill.client.remote.LONGEST_REST", 0.01)
    with pytest.raises(ServiceError):
        at(kind).processes()


@pytest.mark.parametrize("kind, words", [("astray", "no address"), ("local", "only http"), ("circle", "redirects")])
def test_a_redirect_to_nowhere_is_an_error(at: Any, kind: str, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        at(kind).processes()


@pytest.mark.parametrize("kind", ["swamp", "flood"])
def test_what_leads_to_another_request_may_have_any_body(at: Any, kind: str) -> None:
    assert [each.id for each in at(kind).processes()] == ["p"]


def test_a_list_is_shown_whatever_one_of_its_jobs_is(at: Any) -> None:
    found = at("lists").jobs()
    assert len(found) == 3 and "0001-01-01T00:00:00+23:59" in repr(found) and "a" in found._repr_html_()


def test_a_list_that_never_ends_is_an_error_and_one_that_is_empty_ends(at: Any, host: Any) -> None:
    with pytest.raises(ServiceError, match="goes on after"):
        at("on").processes()
    assert len(host.asked) == PAGES
    assert len(at("on").jobs(limit=3)) == 3
    assert at("empty").processes() == at("empty").jobs(limit=None) == []


def test_the_pages_of_a_list_come_from_its_server_alone(at: Any, host: Any) -> None:
    assert [each.id for each in at("elsewhere").processes()] == ["p1", "p0"]
    assert host.asked == ["/elsewhere/processes", "/elsewhere/processes?page=2"]


@pytest.mark.parametrize("kind", ["deaf", "slow"])
def test_a_wait_ends_in_time_whatever_the_server_does(at: Any, kind: str) -> None:
    job = at(kind).execute("p")
    with pytest.raises(StillRunning, match="has not ended after 0.1 s; it goes on; the last look: "):
        job.wait(0.1)


def test_a_document_has_an_end(at: Any) -> None:
    with pytest.raises(ServiceError, match="more than 64.0 MiB"):
        at("bomb").processes()
    with pytest.raises(Unreachable, match="was not over after 0 s"):
        Reply(200, {}, iter([b"a", b"b"]), "http://127.0.0.1:1", seconds=0.0).body()


def test_errors_are_one_line_that_steers_no_terminal(at: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        at("escapes").processes()
    assert str(refused.value) == "evil ]0;owned[2J second line" and refused.value.detail == wicked.ESCAPES


def test_a_job_in_a_strange_state_has_not_ended(at: Any) -> None:
    assert at("odd").execute("p").wait().status == "successful"


def test_a_job_that_was_dismissed_says_so_once(at: Any) -> None:
    with pytest.raises(JobFailed, match="^the job was dismissed$"):
        at("gone").execute("p").wait()


def test_an_answer_that_breaks_off_is_told_in_words(at: Any) -> None:
    with pytest.raises(Unreachable, match=r"broke off: the connection ended after 10 bytes, with 990 bytes more"):
        at("short").processes()
    with pytest.raises(Unreachable, match=r"cannot be reached: TLS: (wrong version number|record layer failure)$"):
        Client(at("lists").url.replace("http:", "https:")).processes()


def test_a_job_is_known_as_it_was_seen_last(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            raise KeyboardInterrupt

    client = Client(at("gone").url)
    job = client.execute("p")
    monkeypatch.setattr("sys.stderr", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        job.wait()
    assert repr(job) == "<Job j: dismissed  dismissed>"


LIST = (200, {"Content-Type": "application/json"}, b'{"processes": [{"id": "far"}]}')


def test_a_proxy_of_the_environment_is_asked_for_what_is_not_on_this_host(
    at: Any, host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    redirect = (302, {"Location": f"{host.url}/lists/processes"}, b"")
    with pages({"http://far.invalid/processes": LIST, "http://back.invalid/processes": redirect}, heard) as proxy:
        monkeypatch.setenv("http_proxy", proxy.replace("//", "//ann:a%20secret@"))
        monkeypatch.setenv("no_proxy", "near.invalid")
        assert [each.id for each in Client("http://far.invalid").processes()] == ["far"]
        assert heard[0]["proxy-authorization"] == "Basic YW5uOmEgc2VjcmV0"
        assert [each.id for each in at("lists").processes()] == ["p"]
        assert [each.id for each in Client("http://back.invalid").processes()] == ["p"]
        with pytest.raises(Unreachable, match="near.invalid"):
            Client("http://near.invalid").processes()
    assert len(heard) == 2


@pytest.mark.parametrize("proxy", ["socks5://ann:secret@127.0.0.1:1", "http://ann:secret@[", "ann:secret@127.0.0.1:1"])
def test_a_proxy_that_is_none_is_an_error_without_its_password(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(ServiceError, match="proxy") as refused:
        Client("http://far.invalid").processes()
    assert "secret" not in str(refused.value)
