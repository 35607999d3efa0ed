"""Whom a client shows its token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from support.web import pages

from geomill.client import Client, ServiceError

TOKEN = "a-token-of-mine"
LIST = (200, {"Content-Type": "application/json"}, b'{"processes": []}')


class Heard:
    """Servers that note who shows them what."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack, self.headers = stack, {}

    def serve(self, given: dict[str, Any] | None = None) -> str:
        heard: list[Any] = []
        url = self._stack.enter_context(pages({"/processes": LIST, **(given or {})}, heard))
        self.headers[url] = heard
        return url

    def shown(self, url: str) -> list[str | None]:
        return [headers.get("Authorization") for headers in self.headers[url]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    with ExitStack() as stack:
        yield Heard(stack)


@pytest.mark.parametrize("named", [None, "this", "another"])
def test_a_token_of_the_environment_goes_with_the_server_of_the_environment(
    heard: Heard, monkeypatch: pytest.MonkeyPatch, named: str | None
) -> None:
    url = heard.serve()
    monkeypatch.setenv("GEOMILL_TOKEN", TOKEN)
    if named:
        monkeypatch.setenv("GEOMILL_SERVER", url if named == "this" else "http://127.0.0.1:1")
    Client(url).processes()
    Client(url, "other").processes()
    assert heard.shown(url) == [None if named == "another" else f"Bearer {TOKEN}", "Bearer other"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_is_not_shown_where_a_redirect_leads(heard: Heard, status: int) -> None:
    other = heard.serve()
    url = heard.serve({"/processes": (status, {"Location": f"{other}/processes"}, b"")})
    assert Client(url, TOKEN).processes() == []
    assert (heard.shown(url), heard.shown(other)) == ([f"Bearer {TOKEN}"], [None])


def test_a_token_is_not_shown_where_links_of_results_lead(heard: Heard) -> None:
    other = heard.serve({"/file.tif": (200, {}, b"II")})
    json = {"Content-Type": "application/json"}
    results = f'{{"image": {{"href": "{other}/file.tif"}}}}'.encode()
    url = heard.serve({
        "/jobs/1": (200, json, b'{"jobID": "1", "status": "successful"}'), "/jobs/1/results": (200, json, results),
    })  # fmt: skip
    assert Client(url, TOKEN).job("1").results()["image"].read() == b"II"
    assert set(heard.shown(url)) == {f"Bearer {TOKEN}"} and heard.shown(other) == [None]


def test_no_text_of_a_client_has_its_token(heard: Heard) -> None:
    client = Client(heard.serve({"/jobs/1": (200, {}, b'{"jobID": "1", "status": "running"}')}), TOKEN)
    texts = [repr(client), repr(client.job("1")), client.job("1")._repr_html_(), repr(client.processes())]
    with pytest.raises(ServiceError) as refused:
        client.job("2")
    assert not [text for text in (*texts, str(refused.value), repr(refused.value)) if TOKEN in text]


@pytest.mark.parametrize("token", ["a b", "a\nX-Evil: 1", "", "ü"])
def test_a_token_that_would_break_out_of_its_header_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match="the token") as refused:
        Client("http://127.0.0.1:1", token)
    assert not token or token not in str(refused.value)
