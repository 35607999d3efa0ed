"""Whatever strangers send is read soon, and refused in no way but those that are documented.

--sequences 5000 tries longer, and other texts each time.
"""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.packages import OGC, docker, graph, ogc, tool

from geomill.app.addresses import is_host, resolve, tidy
from geomill.app.cwl import document, stac
from geomill.app.cwl.document import InvalidPackage
from geomill.app.exchange import InvalidRequest, package, prefer, request
from geomill.app.exchange.accept import Accept
from geomill.app.exchange.media_types import essence, parameters, same
from geomill.app.exchange.strictjson import loads
from geomill.app.exchange.values import Place, interpret
from geomill.processes import BadInput
from geomill.processes._stac import find_band

SLOW = 2.0  # seconds of processor time
Json = Any


class TooSlow(BaseException):
    """Not caught by anything that is read."""


@contextmanager
def soon() -> Iterator[None]:
    """Fail what takes too long, instead of waiting for it."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@pytest.fixture
def trying(pytestconfig: pytest.Config) -> Callable[..., Any]:
    """Decorates what is tried with generated arguments."""
    longer: int = pytestconfig.getoption("--sequences")
    thorough: bool = pytestconfig.getoption("--thorough")

    def decorate(most: int) -> Any:
        return settings(
            max_examples=longer or (most if thorough else most // 4),
            derandomize=not longer,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[phase for phase in Phase if phase is not Phase.explain],
        )

    return decorate


# ---- what is sent

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "..", "/", "\0", "file:///etc/passwd", "#main", "$(inputs)", "string[]", "http://[", "\ud800", "null?"]
    ),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200).map(lambda data: data.decode("latin-1")),
    st.text(alphabet=" ,;=\"\\'()[]{}/*.:-+&?#%0123456789abcqwT\t", max_size=120),
)


def places(value: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every member of a document."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


@st.composite
def spoiled(draw: st.DrawFn, originals: list[Json]) -> Json:
    """A real document with one to three of its members replaced, removed, doubled, renamed or wrapped."""
    made = copy.deepcopy(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(made))[1:] or [()]))
        if not path:
            return draw(JSON)
        holder = made
        for key in path[:-1]:
            holder = holder[key]
        how = draw(st.sampled_from(["replace", "remove", "wrap", "map", "rename", "swap"]))
        if how == "remove":
            del holder[path[-1]]
        elif how == "wrap":
            holder[path[-1]] = [holder[path[-1]]]
        elif how == "map":
            holder[path[-1]] = {draw(st.text(max_size=5)): holder[path[-1]]}
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=8))] = holder.pop(path[-1])
        elif how == "swap":
            other = draw(st.sampled_from(list(places(made))))
            found = made
            for key in other:
                found = found[key]
            holder[path[-1]] = copy.deepcopy(found)
        else:
            holder[path[-1]] = draw(JSON)
    return made


PIECES = [
    *(
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"<<: *a\n",
        b"\t",
        b"---\n",
        b"%YAML 9.9\n",
        b"[" * 80,
        b"!!binary ",
    ),
    *(b"? ", b"|\n", b"\xef\xbb\xbf", b"\xff\xfe", b"!!set {a}", b"1e999", b".nan", b"0o7", b"{", b"}", b"]", b"#"),
]


@st.composite
def torn(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A real text with a piece cut out, doubled, replaced or its bytes changed."""
    text = draw(st.sampled_from(originals))
    begin = draw(st.integers(0, len(text)))
    end = min(len(text), begin + draw(st.integers(0, 40)))
    middle = draw(
        st.one_of(
            st.binary(max_size=8),
            st.just(text[begin:end] * 2),
            st.sampled_from(PIECES),
        )
    )
    return text[:begin] + middle + text[end:]


# ---- CWL

CORPUS = sorted(Path(__file__).parent.glob("cwl/corpus/*.cwl")) + sorted(
    Path(__file__).parent.glob("cwl/documents/*.cwl")
)
TEXTS_OF_CORPUS = [path.read_bytes() for path in CORPUS]


def as_plain(text: bytes) -> Json:
    """A document in JSON's own types."""
    return json.loads(json.dumps(document.parse(text)))


@pytest.fixture(scope="module")
def plain() -> list[Json]:
    pytest.importorskip("cwltool")
    from geomill.app.cwl import loading

    loading.warm_up()
    found = []
    for text in TEXTS_OF_CORPUS:
        try:
            found.append(as_plain(text))
        except InvalidPackage:
            continue
    assert len(found) > 20
    return [*found, tool(), graph("one", "two")]


def read_cwl(text: bytes, w: str | None = None) -> None:
    """All that is done to a document when it is deployed."""
    from geomill.app.cwl import description, loading, needs

    with soon():
        try:
            parsed = document.parse(text)
            entry = document.entry(parsed, w)
            process_id = document.process_id(parsed, entry, w)
            loaded = loading.make(document.parse(text), entry)
            json.dumps(description.describe(loaded, parsed, process_id))
            needs.needs(loaded)
            needs.warnings(loaded, parsed)
        except InvalidPackage as error:
            str(error).encode()


def test_a_spoiled_cwl_document_is_an_invalid_package(trying: Any, plain: list[Json]) -> None:
    @trying(400)
    @given(spoiled(plain), st.one_of(st.none(), st.text(max_size=10)))
    def read(made: Json, w: str | None) -> None:
        read_cwl(json.dumps(made).encode(), w)

    read()


@pytest.mark.filterwarnings(r"ignore:\s*found duplicate anchor")
def test_a_torn_cwl_text_is_an_invalid_package(trying: Any, plain: list[Json]) -> None:
    @trying(400)
    @given(
        st.one_of(torn(TEXTS_OF_CORPUS), st.binary(max_size=300), TEXTS.map(lambda text: text.encode(errors="replace")))
    )
    def read(text: bytes) -> None:
        read_cwl(text)

    read()


# ---- packages and requests

PACKAGES = [
    json.loads(docker()),
    json.loads(ogc({"value": tool()}, {"process": {"id": "a", "inputs": {"whom": {"schema": {"type": "string"}}}}})),
    json.loads(ogc([{"href": "https://example.org/x.cwl", "type": "application/cwl"}])),
    json.loads(ogc({"unit": "cwlVersion: v1.2"})),
]
REQUESTS: list[Json] = [
    {"inputs": {"a": 1, "b": {"value": [1], "mediaType": "text/plain", "encoding": "base64"}}, "response": "raw"},
    {
        "inputs": {"a": [{"href": "http://x"}]},
        "outputs": {"a": {"transmissionMode": "value", "format": {"mediaType": "x/y"}}},
    },
    {
        "inputs": {},
        "outputs": ["a"],
        "limits": {"timeLimit": 1.5, "memory": 7},
        "subscriber": {"successUri": "http://x/"},
    },
]


def as_bytes(value: Json) -> bytes:
    return json.dumps(value).encode()


def test_a_spoiled_package_is_an_invalid_request(trying: Any) -> None:
    texts = st.one_of(spoiled(PACKAGES).map(as_bytes), torn(list(map(as_bytes, PACKAGES))), st.binary(max_size=200))

    @trying(500)
    @given(texts, st.sampled_from([OGC, package.JSON, *package.CWL]))
    def read(body: bytes, media_type: str) -> None:
        with soon():
            try:
                package.read(body, media_type)
            except InvalidRequest as error:
                str(error).encode()

    read()


def test_a_spoiled_execute_request_is_an_invalid_request(trying: Any) -> None:
    texts = st.one_of(spoiled(REQUESTS).map(as_bytes), torn(list(map(as_bytes, REQUESTS))), st.binary(max_size=200))

    @trying(500)
    @given(texts)
    def read(body: bytes) -> None:
        with soon():
            try:
                request.read(body)
            except InvalidRequest as error:
                str(error).encode()

    read()


def test_a_media_type_of_a_package_is_one_or_is_refused(trying: Any) -> None:
    @trying(200)
    @given(st.none() | TEXTS)
    def read(given: str | None) -> None:
        try:
            assert package.check_type(given) in (*package.ACCEPTED, *package.YAML)
        except package.UnsupportedMediaType:
            pass

    read()


def test_json_is_read_as_the_standard_has_it_or_not_at_all(trying: Any) -> None:
    """What is read can be written and read again, and is the same."""

    @trying(1000)
    @given(
        st.one_of(JSON.map(as_bytes), torn([as_bytes(each) for each in (*REQUESTS, *PACKAGES)]), st.binary(max_size=80))
    )
    def read(text: bytes) -> None:
        with soon():
            try:
                value = loads(text)
            except ValueError as error:
                assert not isinstance(error, UnicodeError)
                return
            assert loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode()) == value

    read()


# ---- values

BBOX: Json = {"format": "ogc-bbox", "type": "object"}
ITEM: Json = {
    "type": "Feature", "stac_version": "1.0.0", "id": "a", "collection": "b", "bbox": [1, 2, 3, 4],
    "properties": {"datetime": "2026-01-31T12:00:00Z", "gsd": 10},
    "links": [{"rel": "self", "href": "a.json"}, {"rel": "item", "href": "../b.json"}],
    "assets": {
        "green": {"href": "g.tif", "roles": ["data"], "eo:bands": [{"common_name": "green"}],
                  "raster:bands": [{"scale": 1}]},
        "nir": {"href": "n.tif", "bands": [{"name": "nir", "eo:common_name": "nir", "raster:scale": 2}], "gsd": 20},
    },
}  # fmt: skip
CATALOG: Json = {
    "type": "Catalog", "stac_version": "1.0.0", "id": "c",
    "links": [{"rel": "item", "href": "a.json"}, {"rel": "child", "href": "d/collection.json"},
              {"rel": "root", "href": "x"}],
}  # fmt: skip
BOXES = st.one_of(
    spoiled([{"bbox": [1, 2, 3, 4]}, {"bbox": [1, 2, 3, 4, 5, 6], "crs": "CRS84h"}, {"value": {"bbox": [1, 2, 3, 4]}}]),
    st.fixed_dictionaries({"bbox": st.lists(SCALARS, max_size=7)}, optional={"crs": TEXTS}),
)


def test_a_spoiled_bounding_box_is_a_bad_input(trying: Any) -> None:
    @trying(300)
    @given(BOXES)
    def read(value: Json) -> None:
        try:
            value = loads(as_bytes(value))  # as it comes
        except ValueError:
            return
        with soon():
            try:
                interpret(Place("box"), value, BBOX)
            except BadInput as error:
                str(error).encode()

    read()


def test_a_spoiled_stac_item_is_a_bad_input(trying: Any) -> None:
    @trying(600)
    @given(spoiled([ITEM]), st.sampled_from(["green", "nir", "", "x"]))
    def read(item: Json, name: str) -> None:
        if not isinstance(item, dict):  # its schema says so
            return
        with soon():
            try:
                find_band(item, name, "green").href  # noqa: B018
            except BadInput as error:
                str(error)

    read()


def test_a_spoiled_catalog_spoils_no_job(trying: Any, tmp_path: Path) -> None:
    @trying(300)
    @given(
        spoiled([CATALOG]) | st.just(CATALOG),
        spoiled([ITEM, {**CATALOG, "type": "Collection"}]),
        spoiled([ITEM, CATALOG]),
    )
    def read(catalog: Json, one: Json, other: Json) -> None:
        (tmp_path / "d").mkdir(exist_ok=True)
        for name, content in {stac.CATALOG: catalog, "a.json": one, "d/collection.json": other}.items():
            (tmp_path / name).write_bytes(as_bytes(content))
        with soon():
            stac.feature_collection(tmp_path, "job")
        (tmp_path / "collection.json").unlink(missing_ok=True)
        (tmp_path / "job.json").unlink(missing_ok=True)

    read()


# ---- headers and addresses


def test_headers_and_addresses_are_read_whatever_they_hold(trying: Any) -> None:
    readers: list[Callable[[str], object]] = [
        prefer.parse,
        lambda text: prefer.applied(text, "wait", "return", "respond-async"),
        lambda text: Accept.parse(text).quality("application/json"),
        lambda text: Accept.parse(text).profile(text),
        lambda text: same(text, text),
        essence,
        parameters,
        is_host,
        lambda text: resolve(tidy(text.encode().decode("latin-1"))),
    ]

    @trying(500)
    @given(TEXTS | TEXTS.map(lambda text: text * 500))
    def read(text: str) -> None:
        for reader in readers:
            with soon():
                reader(text)

    read()
