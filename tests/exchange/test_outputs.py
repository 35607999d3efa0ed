"""From results to an answer: the tables of both versions of the standard."""

import base64
import email
import email.policy
import json
from collections.abc import Iterable
from typing import Any

import pytest

from geomill.app.exchange import NotAcceptable
from geomill.app.exchange.accept import Accept
from geomill.app.exchange.inputs import ExecuteRequest, OutputRequest, read
from geomill.app.exchange.outputs import RESULTS_PROFILE, Answer, answer, narrow, pick, single
from geomill.app.exchange.prefer import parse
from geomill.jobstore import NoSuchOutput, Result, ResultNotAvailable

TIFF = b"II*\0 pixels \r\n--part"
FILES = {"image.tif": TIFF, "big.json": b'{"big": true}', "list.json": b"[1]", "table.csv": b"a,b", "bad.json": b"{"}
RESULTS = {
    "text": Result(value="gr\xfcn"),
    "number": Result(value=0.5),
    "numbers": Result(value=[1, 2]),
    "object": Result(value={"k": 1}),
    "geometry": Result(value={"type": "Point", "coordinates": [7, 51]}, media_type="application/geo+json"),
    "bbox": Result(value={"bbox": [0, 0, 1, 1]}),
    "gml": Result(value="<gml/>", media_type="application/gml+xml"),
    "image": Result(file="image.tif", media_type="image/tiff", size=len(TIFF)),
    "big": Result(file="big.json", media_type="application/geo+json", size=2**21),
    "csv": Result(file="table.csv", media_type="text/csv", size=3),
    "bad": Result(file="bad.json", media_type="application/json", size=1),
    "images": Result(items=(Result(file="image.tif", media_type="image/tiff"), Result(value="b"))),
    "nothing": Result(),
}
VALUE, REFERENCE = {"transmissionMode": "value"}, {"transmissionMode": "reference"}
PROFILE = ("Link", f'<{RESULTS_PROFILE}>; rel="profile"')


def link(output_id: str, index: int | None) -> str:
    return f"http://h/results/{output_id}" + (f"/{index}" if index is not None else "")


def at(path: str) -> str:
    return f"http://h/files/{path}"


def file_bytes(result: Result) -> bytes:
    return FILES[result.file or ""]


def href(output_id: str, media_type: str) -> dict[str, str]:
    return {"href": link(output_id, None), "rel": "related", "type": media_type}


def ask(
    wanted: Any, *, response: str | None = None, prefer: str | None = None, accept: str | None = None,
    sync: bool = True, described: Iterable[str] = RESULTS, profile: bool = False,
) -> Answer:  # fmt: skip
    """The answer to a request for these outputs: a dict as in the body, a list of ids, or None."""
    body = json.dumps({"inputs": {}, "outputs": wanted, "response": response}).encode()
    return answer(
        RESULTS, read(body), parse(prefer), Accept.parse(accept),
        described=list(described), sync=sync, link=link, at=at, read=file_bytes, profile=profile,
    )  # fmt: skip


def document(given: Answer) -> Any:
    assert (given.status, given.media_type) == (200, "application/json")
    return json.loads(given.body or b"")


def parts(given: Answer) -> list[tuple[str, str, str | None, Any]]:
    """Content-ID, type, Content-Location and body of each part."""
    assert given.status == 200 and given.media_type is not None and given.body is not None
    whole = email.message_from_bytes(
        f"Content-Type: {given.media_type}\r\n\r\n".encode() + given.body, policy=email.policy.HTTP
    )
    assert whole.get_content_type() == "multipart/related"
    assert whole.get_param("type") == next(part.get_content_type() for part in whole.iter_parts())
    found = []
    for part in whole.iter_parts():
        content = part.get_payload(decode=True)
        found.append((part["Content-ID"], part.get_content_type(), part["Content-Location"], content))
    return found


# --- the table of both versions: what the request says, and what comes back


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("response", ["raw", None])
@pytest.mark.parametrize(
    "output_id, media_type, body",
    [
        ("text", "text/plain; charset=utf-8", "gr\xfcn"),
        ("number", "application/json", "0.5"),
        ("numbers", "application/json", "[1, 2]"),
        ("object", "application/json", '{"k": 1}'),
        ("geometry", "application/geo+json", '{"type": "Point", "coordinates": [7, 51]}'),
        ("gml", "application/gml+xml", "<gml/>"),
    ],
)
def test_1_0_raw_gives_one_value_bare(
    sync: bool, response: str | None, output_id: str, media_type: str, body: str
) -> None:
    given = ask({output_id: VALUE}, response=response, sync=sync, accept="application/json")
    assert given == Answer(200, [], media_type, body.encode())


@pytest.mark.parametrize("sync", [True, False])
def test_1_0_raw_streams_one_file(sync: bool) -> None:
    assert ask({"image": VALUE}, sync=sync) == Answer(200, [], "image/tiff", None, RESULTS["image"])


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("accept", [None, "application/json"])
def test_1_0_raw_gives_several_values_as_multipart_whatever_is_accepted(sync: bool, accept: str | None) -> None:
    given = ask({"text": VALUE, "number": VALUE, "image": VALUE}, sync=sync, accept=accept)
    assert (given.body or b"").startswith(b"--part-")
    assert given.headers == []
    assert parts(given) == [
        ("text", "text/plain", None, "gr\xfcn".encode()),
        ("number", "application/json", None, b"0.5"),
        ("image", "image/tiff", None, TIFF),
    ]


def test_1_0_raw_numbers_the_values_of_one_output() -> None:
    assert [(name, body) for name, _, _, body in parts(ask({"images": VALUE}))] == [
        ("images/0", TIFF),
        ("images/1", b"b"),
    ]


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("response", ["raw", None])
def test_1_0_raw_gives_references_as_link_headers(sync: bool, response: str | None) -> None:
    given = ask({"text": REFERENCE, "images": REFERENCE}, response=response, sync=sync)
    assert (given.status, given.media_type, given.body, given.file) == (204, None, None, None)
    assert given.headers == [
        ("Link", '<http://h/results/text>; rel="related"; type="text/plain"; title="text"'),
        ("Link", '<http://h/results/images/0>; rel="related"; type="image/tiff"; title="images"'),
        ("Link", '<http://h/results/images/1>; rel="related"; type="text/plain"; title="images"'),
    ]


@pytest.mark.parametrize("sync", [True, False])
def test_1_0_raw_mixes_values_and_references_in_a_multipart(sync: bool) -> None:
    given = ask({"text": {}, "image": REFERENCE}, sync=sync)
    assert parts(given) == [
        ("text", "text/plain", None, "gr\xfcn".encode()),
        ("image", "image/tiff", "http://h/results/image", b""),
    ]


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("wanted", [{"text": {}}, {"text": VALUE}, {"text": {}, "number": {}}, None, {}])
def test_1_0_document_is_a_results_document_for_any_number_of_outputs(sync: bool, wanted: Any) -> None:
    given = ask(wanted, response="document", sync=sync, described=["text", "number"])
    expected = {"text": "gr\xfcn", "number": 0.5}
    assert document(given) == {output_id: expected[output_id] for output_id in wanted or expected}
    assert given.headers == []


@pytest.mark.parametrize(
    "accept, media_type, body",
    [
        (None, "text/plain; charset=utf-8", "gr\xfcn"),
        ("*/*", "text/plain; charset=utf-8", "gr\xfcn"),
        ("text/*, application/json", "text/plain; charset=utf-8", "gr\xfcn"),
        ("application/json", "application/json", '"gr\xfcn"'),
        ("application/json, text/plain;q=0.9", "application/json", '"gr\xfcn"'),
    ],
)
def test_2_0_gives_one_output_bare_as_accepted(accept: str | None, media_type: str, body: str) -> None:
    assert ask({"text": {}}, accept=accept) == Answer(200, [], media_type, body.encode())
    assert ask(None, accept=accept, described=["text"]) == Answer(200, [], media_type, body.encode())


def test_2_0_gives_one_output_in_the_format_it_was_asked_for() -> None:
    given = ask({"text": {"format": {"mediaType": "application/json"}}})
    assert given == Answer(200, [], "application/json", '"gr\xfcn"'.encode())


def test_2_0_streams_one_file_or_links_it_for_a_client_that_reads_json_alone() -> None:
    assert ask({"image": {}}) == Answer(200, [], "image/tiff", None, RESULTS["image"])
    assert ask({"big": {}}, accept="application/json") == Answer(200, [], "application/json", None, RESULTS["big"])
    linked = ask({"image": {}}, accept="application/json")
    assert document(linked) == {"image": href("image", "image/tiff")}
    assert linked.headers == [PROFILE]


@pytest.mark.parametrize("asked", [{"profile": True}, {"accept": f'application/json;profile="{RESULTS_PROFILE}"'}])
def test_2_0_gives_one_output_as_a_document_when_the_profile_says_so(asked: dict[str, Any]) -> None:
    given = ask({"text": {}}, **asked)
    assert document(given) == {"text": "gr\xfcn"}
    assert given.headers == [PROFILE]


@pytest.mark.parametrize("sync, wanted", [(True, ["text", "number"]), (False, ["text", "number"]), (False, ["text"])])
@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "multipart/related;q=0.5, */*"])
def test_2_0_gives_a_document_for_several_outputs_and_always_at_results(
    sync: bool, wanted: list[str], accept: str | None
) -> None:
    given = ask(wanted, sync=sync, accept=accept)
    assert document(given) == {output_id: RESULTS[output_id].value for output_id in wanted}
    assert given.headers == [PROFILE]


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("accept", ["multipart/related", "multipart/related, application/json;q=0.5"])
def test_2_0_gives_multipart_only_when_accept_names_it(sync: bool, accept: str) -> None:
    given = ask(["text", "image"], sync=sync, accept=accept)
    assert [name for name, *_ in parts(given)] == ["text", "image"]


@pytest.mark.parametrize(
    "wanted, accept", [(["text", "number"], "image/tiff"), (["image"], "text/csv"), (["text"], "image/*")]
)
def test_what_no_one_accepts_is_not_acceptable(wanted: list[str], accept: str) -> None:
    with pytest.raises(NotAcceptable, match="can be given as"):
        ask(wanted, accept=accept)


def test_empty_outputs_give_204_at_once_and_nothing_later() -> None:
    assert ask({}) == Answer(204)
    with pytest.raises(ResultNotAvailable):
        ask({}, sync=False)


# --- what a document holds


@pytest.mark.parametrize(
    "output_id, auto, value, minimal",
    [
        ("text", "gr\xfcn", "gr\xfcn", "gr\xfcn"),
        ("number", 0.5, 0.5, 0.5),
        ("numbers", [1, 2], [1, 2], href("numbers", "application/json")),
        ("object", {"value": {"k": 1}}, {"value": {"k": 1}}, href("object", "application/json")),
        (
            "geometry",
            {"value": RESULTS["geometry"].value, "mediaType": "application/geo+json"},
            {"value": RESULTS["geometry"].value, "mediaType": "application/geo+json"},
            href("geometry", "application/geo+json"),
        ),
        ("bbox", {"bbox": [0, 0, 1, 1]}, {"bbox": [0, 0, 1, 1]}, href("bbox", "application/json")),
        (
            "image",
            href("image", "image/tiff"),
            {"value": base64.b64encode(TIFF).decode(), "encoding": "base64", "mediaType": "image/tiff"},
            href("image", "image/tiff"),
        ),
        (
            "big",
            href("big", "application/geo+json"),
            {"value": {"big": True}, "mediaType": "application/geo+json"},
            href("big", "application/geo+json"),
        ),
        ("csv", href("csv", "text/csv"), {"value": "a,b", "mediaType": "text/csv"}, href("csv", "text/csv")),
        (
            "bad",
            href("bad", "application/json"),
            {"value": "ew==", "encoding": "base64", "mediaType": "application/json"},
            href("bad", "application/json"),
        ),
    ],
)
def test_a_document_inlines_or_links_as_asked(output_id: str, auto: Any, value: Any, minimal: Any) -> None:
    linked = {"href": f"http://h/results/{output_id}", "rel": "related"}
    assert document(ask({output_id: {}}, response="document")) == {output_id: auto}
    assert document(ask({output_id: VALUE}, response="document")) == {output_id: value}
    assert document(ask({output_id: REFERENCE}, response="document"))[output_id].items() >= linked.items()
    assert document(ask([output_id], sync=False)) == {output_id: auto}
    assert document(ask([output_id], sync=False, prefer="return=representation")) == {output_id: value}
    assert document(ask([output_id], sync=False, prefer="return=minimal")) == {output_id: minimal}


def test_a_stated_mode_outweighs_a_preference() -> None:
    given = ask({"numbers": VALUE, "image": {}}, response="document", prefer="return=minimal")
    assert document(given) == {"numbers": [1, 2], "image": href("image", "image/tiff")}


def test_an_output_with_several_values_is_an_array() -> None:
    assert document(ask(["images"])) == {
        "images": [{"href": "http://h/results/images/0", "rel": "related", "type": "image/tiff"}, "b"]
    }


def test_files_too_large_for_one_answer_are_linked_even_when_asked_for() -> None:
    huge = {"a": Result(file="image.tif", media_type="image/tiff", size=2**40), "b": Result(value=1)}
    for outputs, accept in ((None, "application/json"), (None, "multipart/related")):
        given = answer(
            huge, ExecuteRequest(outputs=outputs), parse("return=representation"), Accept.parse(accept),
            described=["a", "b"], sync=True, link=link, at=at, read=file_bytes,
        )  # fmt: skip
        assert b"http://h/results/a" in (given.body or b"")


def test_an_output_that_was_not_produced_is_absent_and_alone_not_available() -> None:
    assert document(ask(["text", "nothing", "missing"], described=[*RESULTS, "missing"])) == {"text": "gr\xfcn"}
    assert [name for name, *_ in parts(ask({"text": VALUE, "nothing": VALUE}))] == ["text"]
    assert ask({"missing": VALUE, "nothing": VALUE}, described=["missing", "nothing"]).status == 204
    with pytest.raises(ResultNotAvailable):
        ask(["nothing"])


@pytest.mark.parametrize("response", [None, "raw", "document"])
def test_a_process_without_outputs_answers_an_empty_document(response: str | None) -> None:
    assert document(ask(None, response=response, described=[])) == {}


def test_a_preference_is_called_honoured_only_where_it_counts() -> None:
    assert ask(["text", "number"], prefer="return=minimal").honoured == ("return",)
    assert ask(["text"], prefer="return=minimal").honoured == ()
    assert ask(["text", "number"]).honoured == ()


def test_names_cannot_break_out_of_a_header() -> None:
    wicked = 'a"\r\nSet-Cookie: b=\xe9'
    for mode in (VALUE, REFERENCE):
        given = answer(
            {wicked: Result(value="a"), "b": Result(value=1)},
            read(json.dumps({"inputs": {}, "outputs": {wicked: mode, "b": mode}}).encode()), parse(None), Accept(),
            described=[wicked, "b"], sync=True, link=lambda *_: "http://h/", at=at, read=file_bytes,
        )  # fmt: skip
        text = (given.body or b"").decode() + "".join(value for _, value in given.headers)
        assert "\r\nSet-Cookie" not in text and text.isascii()


# --- one output


def one(
    output_id: str, index: int | None = None, *, accept: str | None = None, request: ExecuteRequest | None = None
) -> Answer:
    return single(
        RESULTS, request or ExecuteRequest(), Accept.parse(accept), output_id, index,
        described=list(RESULTS), link=link, at=at, read=file_bytes,
    )  # fmt: skip


def test_one_output_is_had_bare() -> None:
    assert one("text") == Answer(200, [], "text/plain; charset=utf-8", "gr\xfcn".encode())
    assert one("number", accept="text/plain").body == b"0.5"
    assert one("geometry", accept="application/json").media_type == "application/json"
    assert one("image").file == RESULTS["image"]
    assert one("images", 0) == Answer(200, [], "image/tiff", None, (RESULTS["images"].items or ())[0])
    assert one("numbers", 1).body == b"2"
    assert document(one("images"))[1] == "b"


@pytest.mark.parametrize(
    "output_id, index, request_, error",
    [
        ("img", None, ExecuteRequest(), NoSuchOutput),
        ("text", None, ExecuteRequest(outputs={"image": OutputRequest()}), ResultNotAvailable),
        ("text", None, ExecuteRequest(outputs={}), ResultNotAvailable),
        ("nothing", None, ExecuteRequest(), ResultNotAvailable),
        ("images", 2, ExecuteRequest(), ResultNotAvailable),
        ("images", -1, ExecuteRequest(), ResultNotAvailable),
        ("text", 1, ExecuteRequest(), ResultNotAvailable),
    ],
)
def test_one_output_that_is_not_there(
    output_id: str, index: int | None, request_: ExecuteRequest, error: type[Exception]
) -> None:
    with pytest.raises(error):
        pick(RESULTS, request_, list(RESULTS), output_id, index)


def test_one_output_in_a_form_that_no_one_accepts() -> None:
    with pytest.raises(NotAcceptable, match="image/tiff"):
        one("image", accept="application/json")


def test_results_are_narrowed_to_the_outputs_named_in_the_query() -> None:
    request = ExecuteRequest(outputs={"text": OutputRequest("reference"), "image": OutputRequest()})
    assert narrow(request, list(RESULTS), ["text"]).outputs == {"text": OutputRequest("reference")}
    assert narrow(ExecuteRequest(), list(RESULTS), ["text"]).outputs == {"text": OutputRequest()}
    with pytest.raises(NoSuchOutput):
        narrow(request, list(RESULTS), ["img"])
    with pytest.raises(ResultNotAvailable):
        narrow(request, list(RESULTS), ["number"])
