"""Every kind of CWL through the API: deployed, described, executed, its results fetched by their links, undeployed.

corpus/NAME.cwl is a document, corpus/NAME.json a list of what is done with it: `w` and `inputs` of the request
("{files}" stands for the server of corpus/files), and either `outputs`, as the CWL specification has them, or `fails`,
words of the job's message. `steps`: which of them have a log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, unquote

import pytest
import urllib3
from support.mills import Mill, serving

from geomill.app.config import Settings
from geomill.app.exchange import inputs
from geomill.app.exchange.media_types import essence
from geomill.app.exchange.request import read
from geomill.app.sandbox import bubblewrap

pytest.importorskip("cwltool")
pytestmark = pytest.mark.skipif(bubblewrap.closed() is not None, reason="nothing here keeps tools apart")

Json = Any
CORPUS = Path(__file__).with_name("corpus")
AT_ONCE = 4  # deployments; the jobs wait for each other in the server
SHA256 = "1220"  # how a multihash begins


@dataclass(frozen=True)
class Case:
    """One run of a document. number: of several runs."""

    name: str
    number: int
    told: Json

    @property
    def document(self) -> tuple[str, str]:
        """What is deployed: a document and the name of its entry."""
        return self.name, self.told.get("w", "")


@dataclass(frozen=True)
class Deployed:
    """What came of a deployment."""

    reply: urllib3.BaseHTTPResponse
    process_id: str
    description: Json


CASES = [
    Case(path.stem, number, told)
    for path in sorted(CORPUS.glob("*.json"))
    for number, told in enumerate(json.loads(path.read_text()))
]
DOCUMENTS = list(dict.fromkeys(case.document for case in CASES))
FINE = [case for case in CASES if "outputs" in case.told]
FAILING = [case for case in CASES if "fails" in case.told]


def each(cases: list[Case]) -> pytest.MarkDecorator:
    """A test for each of some cases."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: f"{case.name}-{case.number}")


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: "-".join(filter(None, document)))


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """The address of a server of the files in a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@dataclass
class Work:
    """A server with all documents deployed and all their jobs over."""

    mill: Mill
    files: str
    deployed: dict[tuple[str, str], Deployed]
    jobs: dict[tuple[str, int], str]

    def request(self, case: Case) -> Json:
        """The request of a case."""
        return json.loads(json.dumps({"inputs": case.told["inputs"]}).replace("{files}", self.files))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Work]:
    root = tmp_path_factory.mktemp("c")
    (root / "home").mkdir()
    settings = Settings(home=root / "home", runtime_dir=root / "run", time_limit=120)
    with file_server(CORPUS / "files") as files, serving(settings, shared=True, allow=files[len("http://") :]) as mill:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            deployed = dict(zip(DOCUMENTS, pool.map(partial(deploy, mill), DOCUMENTS), strict=True))
            at_work = Work(mill, files, deployed, {})
            submitted = pool.map(partial(submit, at_work), CASES)
            at_work.jobs = {(case.name, case.number): job for case, job in zip(CASES, submitted, strict=True)}
        for case in CASES:  # no test shall find the processes of another
            ended(at_work, case)
        yield at_work


def deploy(mill: Mill, document: tuple[str, str]) -> Deployed:
    """Deploy a document and read its description."""
    name, w = document
    body, headers = (CORPUS / f"{name}.cwl").read_bytes(), {"Content-Type": "application/cwl+yaml"}
    query = f"?w={quote(w)}" if w else ""
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        reply = pool.request("POST", f"{mill.url}/processes{query}", body=body, headers=headers)
    if reply.status != 201:
        return Deployed(reply, "", {})
    process_id = str(reply.json()["id"])
    return Deployed(reply, process_id, mill.call("GET", f"/processes/{process_id}").json())


def submit(work: Work, case: Case) -> str:
    """Execute; the job's id, or why there is none."""
    process_id = work.deployed[case.document].process_id
    reply = work.mill.call("POST", f"/processes/{process_id}/execution", work.request(case), Prefer="respond-async")
    return str(reply.json()["jobID"]) if reply.status == 201 else f"{reply.status} {reply.data.decode()}"


@each_document
def test_a_document_is_deployed_and_described(work: Work, document: tuple[str, str]) -> None:
    deployed = work.deployed[document]
    assert deployed.reply.status == 201, deployed.reply.data
    assert deployed.reply.headers["Location"] == f"{work.mill.url}/processes/{deployed.process_id}"
    assert deployed.description["mutable"] is True
    for case in CASES:
        if case.document == document:
            inputs.check(read(json.dumps(work.request(case)).encode()), deployed.description)


@each(FINE)
def test_a_process_gives_what_cwl_says(work: Work, case: Case) -> None:
    assert results(work, case) == case.told["outputs"]


@each(FAILING)
def test_a_process_that_fails_says_where_and_why(work: Work, case: Case) -> None:
    status = ended(work, case)
    assert status["status"] == "failed", status
    missing = [words for words in case.told["fails"] if words not in status["message"]]
    assert not missing, status["message"]


@each(CASES)
def test_every_step_has_events_and_a_log(work: Work, case: Case) -> None:
    job_id = work.jobs[case.name, case.number]
    status = ended(work, case)
    assert status["status"] != "refused", status
    known = work.mill.call("GET", f"/jobs/{job_id}/events").json()
    begun = [event["step"] for event in known["events"] if event["event"] == "started"]
    over = [event["step"] for event in known["events"] if event["event"] == "ended" and event["outcome"] != "reused"]
    assert sorted(begun) == sorted(over), known
    assert len(begun) == len(set(begun))
    logged = [step["id"] for step in known["steps"] if "log" in step]
    assert set(logged) <= set(begun)
    for step in known["steps"]:
        assert "log" not in step or urllib3.request("GET", step["log"]).status == 200
    if "steps" in case.told and status["status"] == "successful":
        assert sorted(set(logged) - {"node_stage_out"}) == sorted(case.told["steps"])


def test_a_process_is_undeployed(work: Work) -> None:
    for deployed in work.deployed.values():
        address = f"/processes/{deployed.process_id}"
        assert (work.mill.call("DELETE", address).status, work.mill.call("GET", address).status) == (204, 404)


def ended(work: Work, case: Case) -> dict[str, Json]:
    """The status of a job that is over."""
    job_id = work.jobs[case.name, case.number]
    if " " in job_id:
        return {"status": "refused", "message": job_id}
    work.mill.ended(job_id, 120)
    return work.mill.status(job_id)


def results(work: Work, case: Case) -> Json:
    """The results of a job, every file fetched."""
    status = ended(work, case)
    assert status["status"] == "successful", status
    found = work.mill.call("GET", f"/jobs/{work.jobs[case.name, case.number]}/results").json()
    return {name: fetched(value) for name, value in found.items()}


def fetched(value: Json) -> Json:
    """A result in the words of the corpus: {"text" or "base64", "type", "beside"} for a file, {"directory": ...}."""
    if isinstance(value, list):
        return [fetched(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "FeatureCollection":
        return {feature["id"]: fetched(feature["assets"]) for feature in value["features"]}
    if "href" in value:
        return content(value)
    if isinstance(value.get("links"), list):
        return {"directory": {link["title"]: content(link)["text"] for link in value["links"]}}
    if "value" in value and set(value) <= {"value", "mediaType"}:
        return fetched(value["value"])
    return {name: fetched(member) for name, member in value.items()}


def content(link: Json) -> Json:
    """The file that a link leads to, which is what the link says of it."""
    reply = urllib3.request("GET", link["href"], headers={"Accept": "*/*"})
    assert reply.status == 200, reply.data
    assert essence(reply.headers["Content-Type"]) == essence(link["type"])
    assert link.get("file:size", len(reply.data)) == len(reply.data)
    assert link.get("file:checksum", SHA256).removeprefix(SHA256) in ("", sha256(reply.data).hexdigest())
    beside = {unquote(each["href"].rpartition("/")[2]): content(each) for each in link.get("secondaryFiles", ())}
    found = {"type": link["type"]} | ({"beside": beside} if beside else {})
    try:
        return found | {"text": reply.data.decode()}
    except UnicodeDecodeError:
        return found | {"base64": base64.b64encode(reply.data).decode()}
