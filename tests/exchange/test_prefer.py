"""The Prefer and Accept headers."""

import time

import pytest

from geomill.app.exchange.accept import Accept
from geomill.app.exchange.prefer import Preference, applied, mode, parse

SYNC, ASYNC, BOTH = ["sync-execute"], ["async-execute", "dismiss"], ["sync-execute", "async-execute", "dismiss"]
REQUEST_PROFILE = "https://www.opengis.net/def/profile/OGC/0/ogc-results"


@pytest.mark.parametrize(
    "header, preference",
    [
        (None, Preference()),
        ("", Preference()),
        ("respond-async", Preference(respond_async=True)),
        ("respond-async ", Preference(respond_async=True)),
        ("Respond-Async", Preference(respond_async=True)),
        ("respond-sync", Preference()),
        ("wait=10", Preference(wait=10)),
        ('wait="10"', Preference(wait=10)),
        ("wait = 10", Preference(wait=10)),
        ("wait=0", Preference(wait=0)),
        ("wait=-1", Preference()),
        ("wait=1.5", Preference()),
        ("wait=soon", Preference()),
        ("wait", Preference()),
        ("wait=\u0665", Preference()),
        ("wait=" + "9" * 5000, Preference()),
        ("wait=5, wait=50", Preference(wait=5)),
        ("return=minimal", Preference(returns="minimal")),
        ("RETURN=Representation", Preference(returns="representation")),
        ("return=everything", Preference()),
        ("respond-async;return=representation", Preference(respond_async=True, returns="representation")),
        ("respond-async, wait=5, return=minimal", Preference(True, 5, "minimal")),
        ('foo="a, respond-async; b", wait=3', Preference(wait=3)),
        ('foo="\\", respond-async", wait=3', Preference(wait=3)),
        (",,;;=,=5, ;wait=3", Preference(wait=3)),
        ('"', Preference()),
        ('respond-async, "', Preference(respond_async=True)),
    ],
)
def test_a_prefer_header_is_read_whatever_it_holds(header: str | None, preference: Preference) -> None:
    assert parse(header) == preference


@pytest.mark.parametrize(
    "options, header, expected",
    [
        (SYNC, None, "sync"),
        (ASYNC, None, "async"),
        (BOTH, None, "sync"),
        (SYNC, "respond-async", "sync"),
        (ASYNC, "respond-async", "async"),
        (BOTH, "respond-async", "async"),
        (BOTH, "respond-async, wait=5", "sync"),
        (BOTH, "respond-async, wait=0", "async"),
        (BOTH, "wait=5", "sync"),
        (ASYNC, "wait=5", "async"),
        (BOTH, "respond-sync", "sync"),
        ([], "respond-async", "sync"),
    ],
)
def test_prefer_and_the_description_decide_the_mode(options: list[str], header: str | None, expected: str) -> None:
    assert mode(parse(header), options) == expected


@pytest.mark.parametrize(
    "header, honoured, value",
    [
        (None, ["respond-async"], None),
        ("respond-async", [], None),
        ("respond-async", ["respond-async"], "respond-async"),
        ("respond-async;return=representation", ["respond-async", "return"], "respond-async;return=representation"),
        ("respond-async;return=representation", ["respond-async"], "respond-async"),
        ("respond-async, wait=5, foo", ["wait"], "wait=5"),
        ("Wait=5, return=minimal, foo", ["wait", "return"], "Wait=5, return=minimal"),
    ],
)
def test_what_was_honoured_is_named_as_it_was_sent(header: str | None, honoured: list[str], value: str | None) -> None:
    assert applied(header, *honoured) == value


@pytest.mark.parametrize(
    "header, media_type, quality",
    [
        (None, "image/tiff", 1),
        ("*/*", "image/tiff", 1),
        ("image/*;q=0.5", "image/tiff", 0.5),
        ("image/*;q=0.5, image/TIFF", "image/tiff; application=geotiff", 1),
        ("application/json", "image/tiff", 0),
        ("image/tiff;q=0, */*", "image/tiff", 0),
        ("text/html, */*;q=0.8", "image/tiff", 0.8),
        ("image/tiff;q=junk", "image/tiff", 1),
        ("image/tiff;q=nan", "image/tiff", 1),
        ("junk, ;;, q=1", "image/tiff", 1),
    ],
)
def test_accept_gives_a_media_type_the_weight_of_the_closest_range(
    header: str | None, media_type: str, quality: float
) -> None:
    assert Accept.parse(header).quality(media_type) == quality


def test_accept_names_a_type_and_a_profile_only_when_it_says_so() -> None:
    assert not Accept.parse("*/*").names("multipart/related")
    assert Accept.parse("multipart/related").names("multipart/related")
    assert Accept.parse(f'application/json; profile="{REQUEST_PROFILE}"').profile(REQUEST_PROFILE)
    assert not Accept.parse("application/json").profile(REQUEST_PROFILE)


@pytest.mark.parametrize("junk", ['"' + '\\"' * 4000, '"' * 8000, "," * 8000, "a;" * 4000, '\\"' * 4000])
def test_junk_is_passed_over_without_looking_at_it_again_and_again(junk: str) -> None:
    begin = time.thread_time()
    assert parse(junk).wait is None
    assert time.thread_time() - begin < 0.5  # a quadratic one takes seconds
