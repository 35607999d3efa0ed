"""Reading the body of an execution."""

import json
from typing import Any

import pytest

from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.inputs import ExecuteRequest, OutputRequest, read


def test_a_body_is_read_with_all_its_members() -> None:
    body = {
        "inputs": {"a": 1},
        "outputs": {"b": {"transmissionMode": "value", "format": {"mediaType": "image/tiff"}}, "c": {}},
        "response": "document",
        "subscriber": {"successUri": "https://example.org/done"},
        "limits": {"timeLimit": 5, "cpuLimit": 0.5, "memory": 1000000, "maxFiles": 20, "maxWork": None},
    }
    assert read(json.dumps(body).encode()) == ExecuteRequest(
        inputs={"a": 1},
        outputs={"b": OutputRequest("value", "image/tiff"), "c": OutputRequest()},
        response="document",
        subscriber={"successUri": "https://example.org/done"},
        limits={"seconds": 5.0, "cpu_seconds": 0.5, "memory_limit": 1000000, "files": 20},
    )


@pytest.mark.parametrize(
    "limits, words",
    [
        ([], 'must be an object such as {"timeLimit": 60}, not an empty array'),
        ({"time": 1}, '"limits" has no member "time", but timeLimit, cpuLimit, memory'),
        ({"timeLimit": 0}, '"limits.timeLimit" must be seconds above 0, not 0'),
        ({"timeLimit": 1e300}, '"limits.timeLimit" must be below 2**63, not 1e+300'),
        ({"timeLimit": "60"}, '"limits.timeLimit" must be seconds above 0, not "60"'),
        ({"memory": 1.5}, '"limits.memory" must be a whole number above 0, not 1.5'),
        ({"memory": True}, '"limits.memory" must be a whole number above 0, not true'),
        ({"maxFiles": -1}, '"limits.maxFiles" must be a whole number above 0, not -1'),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(json.dumps({"limits": limits}).encode())
    assert words in str(refused.value)


def test_nulls_of_generated_clients_count_as_not_given() -> None:
    body = b"""{"inputs": {"a": 1, "b": null}, "outputs": null, "process": null, "filter": null, "properties": null,
               "sortBy": null, "subscriber": {"successUri": null}, "response": null}"""
    assert read(body) == ExecuteRequest(inputs={"a": 1})


@pytest.mark.parametrize(
    "body, expected",
    [
        (b"{}", ExecuteRequest()),
        (b'\xef\xbb\xbf{"inputs": {}}', ExecuteRequest()),
        (b'{"inputs": {"a": 1, "a": 2}}', ExecuteRequest(inputs={"a": 2})),
        (b'{"inputs": {}, "outputs": ["a"]}', ExecuteRequest(outputs={"a": OutputRequest()})),
        (b'{"inputs": {}, "outputs": {"a": null}}', ExecuteRequest(outputs={"a": OutputRequest()})),
        (
            b'{"inputs": {}, "outputs": {"a": {"mediaType": "b/c"}}}',
            ExecuteRequest(outputs={"a": OutputRequest(None, "b/c")}),
        ),
        (b'{"inputs": {"a": 0.12345678901234567890123}}', ExecuteRequest(inputs={"a": 0.12345678901234568})),
        (b'{"inputs": {"a": 18446744073709551615}}', ExecuteRequest(inputs={"a": 2**64 - 1})),
        (b'{"inputs": {"a": "[[[ \\" ]]"}}', ExecuteRequest(inputs={"a": '[[[ " ]]'})),
        (b'{"inputs": {"a": "\\ud83c\\udf0d"}}', ExecuteRequest(inputs={"a": "\N{EARTH GLOBE EUROPE-AFRICA}"})),
        (b'{"inputs": {"a": ' + b"[" * 62 + b"]" * 62 + b"}}", None),
    ],
)
def test_what_can_be_understood_is_accepted(body: bytes, expected: ExecuteRequest | None) -> None:
    assert expected is None or read(body) == expected
    read(body)


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "The body is empty"),
        (b"  ", "The body is empty"),
        (b"{", "not JSON"),
        (b'{"inputs": {"a": "', "not JSON"),
        (b'{"inputs": {"a": "' + b'\\"' * 100_000, "not JSON"),
        (b'{"inputs": {}} trailing', "not JSON"),
        (b"[1]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"text"', "must be a JSON object"),
        (b'{"inputs": "\xff"}', "not UTF-8"),
        ('{"inputs": {}}'.encode("utf-16"), "not UTF-8"),
        (b'{"inputs": {"a": NaN}}', "NaN"),
        (b'{"inputs": {"a": -Infinity}}', "-Infinity"),
        (b'{"inputs": {"a": 1e999}}', "too large"),
        (b'{"inputs": {"a": 1' + b"0" * 400 + b".0}}", "too large"),
        (b'{"inputs": {"a": 18446744073709551616}}', "64 bits"),
        (b'{"inputs": {"a": -9223372036854775809}}', "64 bits"),
        (b'{"inputs": {"a": ' + b"9" * 5000 + b"}}", "64 bits"),
        (b'{"inputs": {"a": "\\ud800"}}', "surrogate"),
        (b'{"inputs": {"a": ' + b"[" * 63 + b"]" * 63 + b"}}", "nested deeper than 64"),
        (b"[" * 1_000_000, "nested deeper than 64"),
        (b'{"a":' * 1_000_000, "nested deeper than 64"),
        (b"[" * 500_000 + b"}" * 500_000, "nested deeper than 64"),
        (b'{"inputs": 5}', '"inputs" must be an object'),
        (b'{"inputs": [1]}', '"inputs" must be an object'),
        (b'{"distance": 5}', 'no member "inputs", but "distance"'),
        (b'{"invalid-execute-request": "true)"}', 'no member "inputs"'),
        (b'{"inputs": {}, "outputs": "a"}', '"outputs" must be an object'),
        (b'{"inputs": {}, "outputs": [1]}', '"outputs" must be an object'),
        (b'{"inputs": {}, "outputs": {"a": true}}', '"outputs.a" must be an object'),
        (b'{"inputs": {}, "outputs": {"a": {"format": "b"}}}', '"outputs.a.format" must be an object'),
        (
            b'{"inputs": {}, "outputs": {"a": {"format": {"mediaType": 5}}}}',
            '"outputs.a.format.mediaType" must be a str',
        ),
        (
            b'{"inputs": {}, "outputs": {"a": {"transmissionMode": "auto"}}}',
            '"outputs.a.transmissionMode" must be "value"',
        ),
        (b'{"inputs": {}, "response": "Raw"}', '"response" must be "raw" or "document", not "Raw"'),
        (b'{"inputs": {}, "response": ["raw"]}', '"response" must be'),
        (b'{"inputs": {}, "subscriber": []}', '"subscriber" must be an object'),
        (b'{"inputs": {}, "subscriber": {"failedUri": "file:///etc"}}', '"subscriber.failedUri" must be'),
    ],
)
def test_a_body_that_is_no_request_is_refused_with_what_to_do(body: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        read(body)
    assert message in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "members, style_1_0, wants_nothing",
    [
        ({}, False, False),
        ({"outputs": {}}, False, True),
        ({"outputs": {"a": {}}}, False, False),
        ({"response": "raw"}, True, False),
        ({"response": "document", "outputs": {}}, True, False),
        ({"outputs": {"a": {"transmissionMode": "value"}}}, True, False),
    ],
)
def test_response_and_transmission_mode_tell_the_versions_apart(
    members: dict[str, Any], style_1_0: bool, wants_nothing: bool
) -> None:
    asked = read(json.dumps({"inputs": {}, **members}).encode())
    assert (asked.style_1_0, asked.wants_nothing) == (style_1_0, wants_nothing)
