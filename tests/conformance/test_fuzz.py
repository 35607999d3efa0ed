"""Generated requests against a running server: every answer is a documented one, and nothing leaves the machine.

FUZZ_EXAMPLES=1000 runs longer, and with other requests each time.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
import schemathesis
from conformance.conftest import Records
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.mills import Mill, serving
from support.packages import OGC, docker, ogc, tool

from geomill.app import errors
from geomill.app.config import Settings
from geomill.app.guard import is_public
from geomill.jobstore import Filters, Status

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LONGEST = 4000  # characters; from 4094 on gunicorn itself answers 414, before any of ours
# the only 5xx
DECLARED = {"process-failed", "time-limit", "job-lost", "disk-full", "busy", "store-full", *errors.LIMITS}

PROCESSES = '''
from pathlib import Path
from typing import Annotated
from geomill.processes import BadInput, File, process

@process
def files(count: int = 3, text: str = "0123456789") -> list[Annotated[Path, File("A text", "text/plain")]]:
    """Give files."""
    paths = [Path(f"{number}.txt") for number in range(min(count, 9))]
    for path in paths:
        path.write_text(text)
    return paths

@process
def page(text_file: Annotated[Path, File("A text", "text/plain")]) -> Annotated[Path, File("A page", "text/html")]:
    """Give a file that may come by reference."""
    return text_file

@process(time_limit=0.2)
def fail(how: str) -> int:
    """Fail."""
    while how == "late":
        pass
    raise BadInput("how", how) if how == "input" else ValueError(how)
'''
OPERATIONS = (
    "getLandingPage",
    "getConformanceClasses",
    "getAPI",
    "getProcesses",
    "getProcessDescription",
    "execute",
    "getJobs",
    "getStatus",
    "dismiss",
    "getResult",
    "getOutput",
    "getOutputValue",
    "getLog",
    "getProblemType",
    "getServerState",
    "deploy",
    "replace",
    "undeploy",
    "getPackage",
    "getVersions",
    "retry",
    "pin",
    "unpin",
    "getFile",
    "getEvents",
    "getStepLog",
    "getJobInputs",
    "getJobProvenance",
    "getROCrate",
    "upload",
    "getUpload",
    "removeUpload",
    "getServerState",
    "getCallbacks",
    "getCallbackSecret",
    "getHealth",
    "getReadiness",
    "getMetrics",
)
DEPLOYED = "image"  # a process that may be changed
PROXY = "geomill-proxy"  # of a job, which calls whom the job may call
SQUARE = {"type": "Polygon", "coordinates": [[[8, 47], [9, 47], [9, 48], [8, 48], [8, 47]]]}
GOOD: dict[str, list[Any]] = {
    "echoInput": ["a text"],
    "mixedInput": ["a text", {"a": "text"}, {"value": {"a": 1}}],
    "numbersInput": [[1, 2], 1],
    "bboxInput": [{"bbox": [8, 47, 9, 48]}],
    "imageInput": ["aGVsbG8=", {"value": "aGVsbG8=", "encoding": "base64", "mediaType": "image/tiff"}],
    "pause": [0],
    "geometry": [SQUARE, {"value": SQUARE}],
    "distance": [1000, -1.5],
    "segments": [1, 8],
    "crs": ["EPSG:4326", "EPSG:3857"],
    "count": [0, 1, 3],
    "text": ["a text"],
    "text_file": ["aGVsbG8="],
    "how": ["late", "input", "error"],
    "aoi": [{"bbox": [8, 47, 9, 48]}],
}
ENDED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("echo", {name: GOOD[name][0] for name in ("echoInput", "mixedInput", "numbersInput", "bboxInput", "imageInput")}),
    ("files", {}),
    ("page", {"text_file": "MDEyMzQ1Njc4OQ=="}),
    *(("fail", {"how": how}) for how in GOOD["how"]),
)
PREFER = (None, "respond-async", "wait=1", "respond-async, wait=1", "return=minimal", "return=representation", '=;,"')
ACCEPT = (None, "application/json", "*/*", "text/html", "multipart/related", "text/plain, */*;q=0.1", "junk;;q=x")


@dataclass(frozen=True)
class Tried:
    """The server under test. canary: an address of this host that nobody may call; jobs: ids of jobs in every state."""

    mill: Mill
    schema: schemathesis.BaseSchema
    session: requests.Session
    canary: socket.socket
    jobs: list[str]
    processes: dict[str, dict[str, Any]]

    def post(self, process: str, inputs: dict[str, Any], **headers: str) -> requests.Response:
        address = f"{self.mill.url}/processes/{process}/execution"
        return self.session.post(address, json={"inputs": inputs}, headers=headers, timeout=60)

    def upload(self) -> str:
        """The id of a new upload."""
        sent = self.session.post(f"{self.mill.url}/uploads?name=a.txt", data=b"0123456789", timeout=10)
        return str(sent.json()["href"].rpartition("/")[2])

    def send(self, case: Case) -> int:
        """Send a request; the answer has to be one of those that the API definition announces. Gives its status."""
        assume(len(case.as_curl_command()) < LONGEST)
        response = case.call(base_url=self.mill.url, session=self.session, timeout=60)
        case.validate_response(response, checks=CHECKS)
        if response.status_code >= 500:
            problem = json.loads(response.content)
            assert problem["type"].rpartition("/")[2] in DECLARED, problem
        return int(response.status_code)

    def send_to(self, location: str) -> None:
        """Look at a process that was deployed, in every way there is, and undeploy it."""
        for path in ("", "/package", "/versions"):
            assert self.session.get(location + path, timeout=10).status_code == 200
        operation = self.schema.find_operation_by_id("getProcessDescription")
        self.send(operation.Case(path_parameters={"processID": unquote(location.rpartition("/")[2])}))
        assert self.session.get(f"{self.mill.url}/processes", timeout=10).status_code == 200
        assert self.session.delete(location, timeout=10).status_code == 204

    def settle(self) -> None:
        """End what runs or waits: jobs outlive the requests that asked for them."""
        store = self.mill.engine.store
        for info in store.list(Filters(statuses=(Status.ACCEPTED, Status.RUNNING)), 10_000).jobs:
            self.mill.engine.dismiss(info.job_id)


def deploy(mill: Mill, session: requests.Session, name: str) -> int:
    """Deploy a process that nobody can execute."""
    headers = {"Content-Type": OGC}
    return session.post(f"{mill.url}/processes", data=docker(name), headers=headers, timeout=10).status_code


@pytest.fixture(scope="module")
def server(offline: bool, records: Records, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    """A server with jobs that have ended in every way, whose processes can call nobody."""
    folder, home = tmp_path_factory.mktemp("processes"), tmp_path_factory.mktemp("home")
    (folder / "fuzzed.py").write_text(PROCESSES)
    made = Settings(home=home, runtime_dir=tmp_path_factory.mktemp("run"), processes=(folder,))
    limits = {"sync_wait": "1", "time_limit": "2", "max_running": "8"}
    with serving(made, shared=True, cold=True, **limits) as mill, requests.Session() as session:
        session.trust_env = False  # no proxy
        schema = schemathesis.openapi.from_dict(session.get(f"{mill.url}/api", timeout=10).json())
        listed = session.get(f"{mill.url}/processes", timeout=10).json()["processes"]
        assert deploy(mill, session, DEPLOYED) == 201
        with socket.create_server(("127.0.0.1", 0)) as canary:
            canary.setblocking(False)
            processes = {each["id"]: session.get(each["links"][0]["href"], timeout=10).json() for each in listed}
            tried = Tried(mill, schema, session, canary, [], processes)
            for process, inputs in ENDED:
                accepted = tried.post(process, inputs, Prefer="respond-async").json()
                assert "jobID" in accepted, accepted
                assert mill.engine.run(accepted["jobID"], 20).status.final
                tried.jobs.append(accepted["jobID"])
            yield tried
            tried.settle()


@pytest.fixture
def tried(server: Tried) -> Iterator[Tried]:
    """The server, with one job that runs and nothing left over."""
    running = server.post("echo", {"echoInput": "x", "pause": 3600}, Prefer="respond-async").json()["jobID"]
    yield replace(server, jobs=[*server.jobs, running])
    server.settle()


def examples(number: int) -> settings:
    """How many requests: the same ones each time, or more and others where a longer run is asked for."""
    return settings(
        max_examples=EXAMPLES or number,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_every_answer_to_a_generated_request_is_a_documented_one(
    tried: Tried, operation_id: str, pytestconfig: pytest.Config
) -> None:
    thorough = pytestconfig.getoption("--thorough")
    most = 20 if operation_id in ("deploy", "replace") else 40  # a document is read by a process of its own
    operation = tried.schema.find_operation_by_id(operation_id)
    known = {
        "jobID": st.sampled_from([None, *tried.jobs]),
        "processID": st.sampled_from([None, *tried.processes, DEPLOYED]),
        "uploadID": st.sampled_from([None, tried.upload()]),
        "path": st.sampled_from([None, "0.txt", "../job.json", "page.html", "a/b"]),
        "outputID": st.sampled_from([None, "result", "echoInput", "bboxInput", "imageInput"]),
        "N": st.sampled_from([None, 0, 1, 99]),
        "Accept": st.sampled_from(ACCEPT),
        "Prefer": st.sampled_from(PREFER),
        "Range": st.sampled_from([None, "bytes=0-1", "bytes=99-", "bytes=-0", "bytes=0-1,3-4", "lines=1"]),
        "If-Match": st.sampled_from([None, "*", '"x"', "junk"]),
        "If-None-Match": st.sampled_from([None, "*", '"x"']),
    }
    statuses = set()

    @given(
        case=st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode)),
        chosen=st.fixed_dictionaries(known),
    )
    @examples(most if thorough else 6)
    def send(case: Case, chosen: dict[str, Any]) -> None:
        for name, value in chosen.items():
            if value is not None and name in (case.path_parameters or {}):
                case.path_parameters[name] = value
            elif value is not None and name[0].isupper() and name != "N":
                case.headers[name] = value
        if operation_id == "dismiss" and chosen["jobID"] is not None:  # one of its own
            case.path_parameters["jobID"] = tried.post("fail", {"how": "x"}, Prefer="respond-async").json()["jobID"]
        if operation_id in ("undeploy", "replace") and chosen["processID"] == DEPLOYED:  # it may be gone
            deploy(tried.mill, tried.session, DEPLOYED)
        statuses.add(tried.send(case))

    send()
    assert statuses


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all members of a document."""
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


PACKAGES = [json.loads(docker(f"spoiled-{number}")) for number in range(2)] + [
    json.loads(ogc({"value": tool(), "mediaType": "application/cwl+json"}, {"process": {"title": "x", "inputs": {}}}))
]


@pytest.mark.parametrize("package", PACKAGES, ids=["image", "wrapped", "document"])
@pytest.mark.thorough
def test_a_package_with_anything_in_any_place_is_deployed_or_refused(server: Tried, package: Any) -> None:
    if package is PACKAGES[1]:
        package = {**package, "processDescription": {"process": package["processDescription"]}}

    statuses = set()

    @given(place=st.sampled_from(list(places(package))[1:]), junk=JUNK)
    @examples(40 if "image" in package["executionUnit"] else 12)  # a document is read by a process of its own
    def send(place: tuple[Any, ...], junk: Any) -> None:
        spoilt = json.loads(json.dumps(package))
        *outer, last = place
        inside = spoilt
        for key in outer:
            inside = inside[key]
        inside[last] = junk
        headers, body = {"Content-Type": OGC}, json.dumps(spoilt).encode()
        answer = server.session.post(f"{server.mill.url}/processes", data=body, headers=headers, timeout=60)
        statuses.add(answer.status_code)
        assert answer.status_code in (201, 400, 403, 409, 422), (answer.text, spoilt)
        if answer.status_code == 201:
            server.send_to(answer.headers["Location"])

    send()
    assert {201, 400} <= statuses


def test_every_operation_is_tried(server: Tried) -> None:
    assert {each.ok().definition.raw["operationId"] for each in server.schema.get_all_operations()} == set(OPERATIONS)


def spoiled(hrefs: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Values that hardly fit an input: links and anything else, bare, in arrays and qualified."""
    links = st.fixed_dictionaries({"href": hrefs}, optional={"type": st.sampled_from(["text/plain", "image/tiff", ""])})
    junk = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
    single = st.one_of(links, links, junk, st.fixed_dictionaries({"value": links | junk}))
    return single | st.lists(single, max_size=3)


def stac_items(hrefs: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """STAC items whose bands are links."""
    asset = st.fixed_dictionaries({"href": hrefs, "eo:bands": st.just([{"common_name": "green"}])})
    assets = st.fixed_dictionaries({"green": asset, "nir": asset})
    return st.fixed_dictionaries({"type": st.just("Feature"), "stac_version": st.just("1.0.0"), "assets": assets})


def links(port: int) -> st.SearchStrategy[str]:
    """Addresses: of this host in every disguise, of others, and what only GDAL would open."""
    here = [
        f"http://127.0.0.1:{port}/x.tif",
        f"http://localhost:{port}/x",
        f"http://LOCALHOST.:{port}/x",
        f"http://x.localhost:{port}/x",
        f"http://[::1]:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x",
        f"http://2130706433:{port}/x",
        f"http://0x7f.1:{port}/x",
        f"http://0:{port}/x",
        f"http://user@127.0.0.1:{port}/x",
        f"http://1.1.1.1\\@127.0.0.1:{port}/x",
        f"/vsicurl/http://127.0.0.1:{port}/x.tif",
        f"/vsizip//vsicurl/http://127.0.0.1:{port}/x.zip/x.tif",
        f"<VRTDataset><VRTRasterBand><SimpleSource><SourceFilename>/vsicurl/http://127.0.0.1:{port}/</SourceFilename>",
        "file:///etc/hostname",
        "FILE:/etc/passwd",
        "/etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[fd00::1]/",
        "ftp://1.1.1.1/x",
        "data:text/plain,x",
        "",
    ]
    return st.one_of(st.sampled_from(here), st.sampled_from(here), urls(), st.text(max_size=30))


@pytest.mark.thorough
def test_every_answer_to_a_generated_execution_is_a_documented_one(tried: Tried) -> None:
    operation = tried.schema.find_operation_by_id("execute")
    hrefs, statuses = links(tried.canary.getsockname()[1]), set()
    styles = st.fixed_dictionaries(
        {}, optional={"transmissionMode": st.sampled_from(["value", "reference"]), "format": st.just({})}
    )

    def executions(process: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
        """Bodies whose inputs fit, but for one of them at most."""
        described = tried.processes[process]
        fields = {name: st.sampled_from(GOOD[name]) if name in GOOD else spoiled(hrefs) for name in described["inputs"]}
        if "item" in fields:
            fields["item"] = stac_items(hrefs)
        needed = {name: fields[name] for name, each in described["inputs"].items() if each.get("minOccurs", 1)}
        others = {name: field for name, field in fields.items() if name not in needed}
        fitting = st.fixed_dictionaries(needed, optional=others)
        unfitting = st.dictionaries(st.sampled_from([*fields, "none"]), spoiled(hrefs), min_size=1, max_size=1)
        outputs = st.dictionaries(st.sampled_from(list(described["outputs"])), styles, max_size=2)
        style = {"response": st.sampled_from(["raw", "document"]), "outputs": outputs}
        inputs = st.one_of(fitting, st.tuples(fitting, unfitting).map(lambda both: both[0] | both[1]))
        body = st.tuples(inputs, st.fixed_dictionaries({}, optional=style))
        return body.map(lambda members: (process, {"inputs": members[0], **members[1]}))

    @given(
        execution=st.sampled_from(sorted(tried.processes)).flatmap(executions),
        prefer=st.sampled_from(PREFER),
        accept=st.sampled_from(ACCEPT),
    )
    @examples(120)
    def send(execution: tuple[str, dict[str, Any]], prefer: str | None, accept: str | None) -> None:
        headers = {"Prefer": prefer, "Accept": accept}
        case = operation.Case(
            path_parameters={"processID": execution[0]},
            headers={name: value for name, value in headers.items() if value is not None},
            body=execution[1],
            media_type="application/json",
        )
        statuses.add(tried.send(case))

    send()
    assert {200, 201, 400} <= statuses


def test_a_link_to_a_public_address_is_followed_by_the_job_alone_and_leads_nowhere(
    tried: Tried, records: Records
) -> None:
    for href in ("http://1.1.1.1/x.txt", "http://example.org/x.txt"):
        assert tried.post("page", {"text_file": {"href": href}}).status_code == 400
    assert {("socket.connect", "1.1.1.1"), ("socket.getaddrinfo", "example.org")} <= {
        (attempt.event, attempt.host) for attempt in records.attempts() if attempt.name == PROXY
    }


def test_nothing_generated_was_followed_to_this_host_or_a_private_one(tried: Tried, records: Records) -> None:
    with pytest.raises(BlockingIOError):
        tried.canary.accept()
    called = [attempt for attempt in records.attempts() if attempt.event == "socket.connect"]
    private = [attempt for attempt in called if attempt.address is None or not is_public(attempt.address)]
    # a job knows its proxy alone, which listens on the loopback address of the job's own network
    assert [attempt for attempt in private if attempt.name == PROXY or attempt.host != "127.0.0.1"] == []


def test_nobody_but_jobs_called_anybody(tried: Tried, records: Records) -> None:
    listening = {("socket.getaddrinfo", "127.0.0.1")}  # where the server itself is bound to
    attempts = records.attempts()
    assert listening <= {(attempt.event, attempt.host) for attempt in attempts}, "the hook is not in the server"
    called = [attempt for attempt in attempts if (attempt.event, attempt.host) not in listening]
    names = {PROXY, *(name[:15] for name in tried.processes)}
    assert [attempt for attempt in called if attempt.name not in names] == []


def test_there_was_no_way_out(offline: bool, tried: Tried) -> None:
    if not offline:
        pytest.skip("only root can have a network of its own; the hook alone has stopped what Python calls")
    interfaces = Path(f"/proc/{tried.mill.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.partition(":")[0].strip() for line in interfaces] == ["lo"]
