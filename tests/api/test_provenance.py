"""Where results come from: the request, W3C PROV in its encodings, and an RO-Crate that runs again."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prov.model import ProvDocument
from support import crates
from support.mills import environ, take
from support.stores import begin, create, succeed
from support.variants import thorough

from geomill.app.config import Settings
from geomill.app.engine.client import Engine, open_store
from geomill.app.engine.runtime import ELECTION
from geomill.app.provenance import archive
from geomill.app.provenance.crate import Entry
from geomill.app.provenance.secrets import cut
from geomill.app.server import Geomill
from geomill.jobstore import Result, Status
from geomill.jobstore.records import now

Finished = Callable[[str, Any], str]
SECRET = "https://example.org/scene.tif?part=1&X-Amz-Signature=5ec7e7&sig=5ec7e7&key=5ec7e7"
USER = "https://ann:5ec7e7@example.org/"
GIVEN: dict[str, Any] = {"echoInput": "ä \"quoted\"\nline", "numbersInput": [1, 2], "imageInput": "SUkqAA=="}
DOCUMENT = """
cwlVersion: v1.2
$graph:
- class: Workflow
  id: main
  requirements: {ScatterFeatureRequirement: {}}
  inputs: {word: string, times: int, text: File}
  outputs:
    said: {type: File, outputSource: say/said}
  steps:
    say: {run: "#echo", in: {word: word, times: times, text: text}, out: [said]}
- class: CommandLineTool
  id: echo
  baseCommand: [cat]
  inputs:
    word: {type: string}
    times: {type: int}
    text: {type: File, inputBinding: {}}
  stdout: said.txt
  outputs: {said: {type: stdout}}
"""
TEXT = {"type": "string", "contentMediaType": "text/plain", "contentEncoding": "binary"}
DESCRIPTION = {
    "id": "main", "title": "Say it", "version": "1.0.0",
    "inputs": {name: {"schema": schema} for name, schema in (
        ("word", {"type": "string"}), ("times", {"type": "integer"}), ("text", TEXT))},
    "outputs": {"said": {"schema": TEXT}},
}  # fmt: skip
ASKED = {"word": "hi", "times": 2, "text": {"value": "a text\n", "mediaType": "text/plain"}}
EVENTS = [
    {"time": "2026-01-01T00:00:00.000Z", "event": "started", "step": "say_1", "tool": "echo"},
    {"time": "2026-01-01T00:00:01.500Z", "event": "ended", "step": "say_1", "outcome": "success", "exit_code": 0,
     "seconds": 1.5, "peak_memory": 5_000_000_000},
    {"time": "2026-01-01T00:00:02.000Z", "event": "started", "step": "say_2", "tool": "echo"},
]  # fmt: skip


@pytest.fixture
def workflow(app: Geomill) -> str:
    """The path of the job of a CWL document, as its runner would leave it."""
    package = hashlib.sha256(DOCUMENT.encode()).hexdigest()
    kept = app.settings.home / "packages" / package
    kept.mkdir(exist_ok=True)
    (kept / "document.cwl").write_text(DOCUMENT)
    processes = {"processes": [{"function": "main", "description": DESCRIPTION}]}
    (kept / "described.json").write_text(json.dumps(processes))
    body = json.dumps({"inputs": ASKED}).encode()
    job_id = create(app.jobs, body, package=package, process_id="main", entry="main", runner="cwl")
    folder = app.jobs.folder(job_id)
    for name, content in (("said.txt", "a text\n"), ("../logs/say_1.log", SECRET)):
        (folder / "outputs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "outputs" / name).write_text(content)
    (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS) + '{"time": "2026-')
    succeed(app.jobs, job_id, {"said": Result(file="said.txt", media_type="text/plain", size=7)})
    return f"/jobs/{job_id}"


def crate(client: FlaskClient, job: str, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The crate of a job, unpacked into a folder, and its nodes by their ids."""
    reply = client.get(f"{job}/ro-crate.zip")
    assert reply.status_code == 200
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        assert archive.testzip() is None
        archive.extractall(folder / "crate")
    content = json.loads((folder / "crate/ro-crate-metadata.json").read_text())
    return folder / "crate", {node["@id"]: node for node in content["@graph"]}


# ---- the request


def test_the_inputs_of_a_job_are_those_that_were_sent(worker: FlaskClient, finished: Finished) -> None:
    body = {"inputs": {"a": {"value": 1}}, "outputs": {"result": {"transmissionMode": "value"}}, "response": "raw"}
    told = worker.get(finished("add", body) + "/inputs").json
    assert {name: told[name] for name in body} == body
    assert told["headers"] == {"Prefer": "respond-async"}


def test_the_outputs_asked_for_are_all_where_the_request_names_none(worker: FlaskClient, finished: Finished) -> None:
    assert worker.get(finished("both", {"inputs": {"text": "x"}}) + "/inputs").json["outputs"] == {
        "first": {}, "second": {},
    }  # fmt: skip


def test_the_inputs_can_be_executed_again(worker: FlaskClient, finished: Finished) -> None:
    again = worker.get(finished("add", {"inputs": {"a": 1}}) + "/inputs").json
    assert worker.post("/processes/add/execution", json=again).json == 2


# ---- W3C PROV


ENCODINGS = {
    "application/json": {"format": "json"},
    "application/xml": {"format": "xml"},
    "text/xml": {"format": "xml"},
    "text/turtle": {"format": "rdf", "rdf_format": "turtle"},
    "application/ld+json": {"format": "rdf", "rdf_format": "json-ld"},
    "application/n-triples": {"format": "rdf", "rdf_format": "nt"},
}
rdf = pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning", "ignore::DeprecationWarning:rdflib")


def read(content: bytes, media_type: str = "application/json") -> ProvDocument:
    return ProvDocument.deserialize(io.BytesIO(content), **ENCODINGS[media_type])


@rdf
@pytest.mark.parametrize("media_type", ENCODINGS)
def test_provenance_can_be_had_in_an_encoding(
    worker: FlaskClient, finished: Finished, media_type: str
) -> None:
    job = finished("echo", {"inputs": GIVEN}) + "/prov"
    reply = worker.get(job, headers={"Accept": media_type})
    assert reply.content_type == media_type
    activities = [record for record in read(reply.data, media_type).get_records() if record.is_element()]
    ours = [record for record in read(worker.get(job).data).get_records() if record.is_element()]
    assert {str(record.identifier.uri) for record in activities} == {str(record.identifier.uri) for record in ours}


@pytest.mark.parametrize("name, begin", [("provn", "document\n"), ("xml", "<?xml"), ("json", "{"), ("ttl", "@prefix")])
@rdf
def test_an_encoding_has_a_short_name(worker: FlaskClient, finished: Finished, name: str, begin: str) -> None:
    assert worker.get(finished("add", {"inputs": {"a": 1}}) + f"/prov?f={name}").text.startswith(begin)


def test_provenance_says_who_did_what_with_what(worker: FlaskClient, finished: Finished) -> None:
    told = worker.get(finished("echo", {"inputs": GIVEN}) + "/prov").json
    assert told["activity"]["job:run"]["api:status"] == "successful"
    assert told["entity"]["job:input.echoInput"]["prov:value"] == GIVEN["echoInput"]
    image = told["entity"]["job:output.imageInput"]
    assert image["schema:sha256"] == hashlib.sha256(b"II*\0").hexdigest()
    assert (image["schema:contentSize"], image["schema:encodingFormat"]) == (4, "image/tiff")
    assert worker.get(image["prov:location"]["$"]).data == b"II*\0"
    assert len(told["used"]) == len(told["wasGeneratedBy"]) == 3
    (plan,) = (name for name, each in told["entity"].items() if "schema:identifier" in each)
    (association,) = told["wasAssociatedWith"].values()
    assert association == {"prov:activity": "job:run", "prov:agent": "api:geomill", "prov:plan": plan}
    assert len(told["entity"][plan]["schema:sha256"]) == 64


def test_provenance_of_a_failure_has_its_cause(worker: FlaskClient, finished: Finished) -> None:
    run = worker.get(finished("fail", {"inputs": {"how": "error"}}) + "/prov").json["activity"]["job:run"]
    assert (run["api:status"], run["api:cause"], run["api:message"]) == ("failed", "exception", "ValueError: it broke")


def test_provenance_of_a_job_that_waits_is_what_is_known(client: FlaskClient) -> None:
    body = {"inputs": {"echoInput": "x"}}
    job = client.post("/processes/echo/execution", json=body, headers={"Prefer": "respond-async"}).headers["Location"]
    run = client.get(f"{job}/prov").json["activity"]["job:run"]
    assert run["api:status"] == "accepted" and "prov:startTime" not in run


@rdf
@pytest.mark.parametrize("media_type", ENCODINGS)
def test_values_that_an_encoding_cannot_hold_are_told_by_their_size(
    worker: FlaskClient, finished: Finished, media_type: str
) -> None:
    body = {"inputs": {"echoInput": "\0\x1b", "mixedInput": {"n": 2**60, "s": "x" * 5000}}}
    reply = worker.get(finished("echo", body) + "/prov", headers={"Accept": media_type})
    assert reply.status_code == 200 and read(reply.data, media_type).get_records()


def test_the_steps_of_a_workflow_are_activities(client: FlaskClient, workflow: str) -> None:
    told = client.get(f"{workflow}/prov").json
    first, second = told["activity"]["job:step.say_1"], told["activity"]["job:step.say_2"]
    assert (first["prov:startTime"], first["prov:endTime"]) == (EVENTS[0]["time"], EVENTS[1]["time"])
    assert (first["api:outcome"], first["api:exitCode"], first["api:seconds"]) == ("success", 0, 1.5)
    assert "prov:endTime" not in second
    plans = {each["prov:activity"]: each["prov:plan"] for each in told["wasAssociatedWith"].values()}
    assert plans["job:step.say_1"] == plans["job:step.say_2"] == "process:tool.echo"
    assert {"prov:informed": "job:step.say_2", "prov:informant": "job:run"} in told["wasInformedBy"].values()


@rdf
@pytest.mark.parametrize("media_type", ENCODINGS)
def test_provenance_of_a_workflow_can_be_had_in_an_encoding(
    client: FlaskClient, workflow: str, media_type: str
) -> None:
    assert read(client.get(f"{workflow}/prov", headers={"Accept": media_type}).data, media_type).get_records()


def test_a_worker_does_not_load_the_library_before_it_is_asked() -> None:
    code = "import sys, geomill.app.api; sys.exit(any(name in sys.modules for name in ('prov', 'rdflib', 'lxml')))"
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_without_the_library_there_is_json(
    worker: FlaskClient, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = finished("add", {"inputs": {"a": 1}})
    monkeypatch.setitem(sys.modules, "prov.model", None)
    assert worker.get(f"{job}/prov").status_code == 200
    refused = worker.get(f"{job}/prov", headers={"Accept": "text/turtle"})
    assert refused.status_code == 406 and "geomill[cwl]" in refused.json["detail"]


# ---- the RO-Crate


def sound(folder: Path, profile: str, beside: Path) -> bool:
    """Whether a crate is one by its profile, and uses no term that its context lacks."""
    assert crates.complaints(folder, profile, beside) == []
    content = json.loads((folder / "ro-crate-metadata.json").read_text())
    assert crates.terms(content["@graph"]) <= {*crates.CONTEXT, *content["@context"][1]}
    return True


@pytest.mark.parametrize(
    "process, inputs",
    [("many", {}), ("fail", {"how": "error"}), thorough("echo", GIVEN), thorough("page", {"text": "x"})],
)
def test_a_job_is_a_process_run_crate(
    worker: FlaskClient, finished: Finished, tmp_path: Path, process: str, inputs: dict[str, Any]
) -> None:
    folder, nodes = crate(worker, finished(process, {"inputs": inputs}), tmp_path)
    assert sound(folder, "process-run-crate", tmp_path)
    for part in nodes["./"]["hasPart"]:
        told, content = nodes[part["@id"]], (folder / part["@id"]).read_bytes()
        assert told.get("sha256") in (None, hashlib.sha256(content).hexdigest())
    listed = {part["@id"] for part in nodes["./"]["hasPart"]} | {"ro-crate-metadata.json"}
    assert listed == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_validator_finds_what_is_missing(worker: FlaskClient, finished: Finished, tmp_path: Path) -> None:
    folder, nodes = crate(worker, finished("add", {"inputs": {"a": 1}}), tmp_path)
    metadata = folder / "ro-crate-metadata.json"
    metadata.write_text(metadata.read_text().replace('"instrument"', '"about"'))
    assert crates.complaints(folder, "process-run-crate", tmp_path)


def test_a_workflow_is_a_workflow_run_crate(client: FlaskClient, workflow: str, tmp_path: Path) -> None:
    folder, nodes = crate(client, workflow, tmp_path)
    assert sound(folder, "workflow-run-crate", tmp_path)
    assert sound(folder, "process-run-crate", tmp_path)
    assert nodes["./"]["mainEntity"] == {"@id": "document.cwl"}
    assert nodes["#input-parameter-times"]["additionalType"] == "Integer"
    assert nodes["#input-parameter-text"]["workExample"] == [{"@id": "inputs/text.txt"}]
    assert nodes["outputs/said.txt"]["exampleOfWork"] == [{"@id": "#output-parameter-said"}]


def test_a_workflow_runs_again_in_its_crate(client: FlaskClient, workflow: str, tmp_path: Path) -> None:
    folder, _ = crate(client, workflow, tmp_path)
    command = written(folder)
    assert command[:2] == ["cwltool", "document.cwl#main"]
    tool = str(Path(sys.executable).with_name("cwltool"))
    outcome = tmp_path / "again"
    done = subprocess.run(
        [tool, "--outdir", str(outcome), *command[1:]], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert (outcome / "said.txt").read_bytes() == (folder / "outputs/said.txt").read_bytes()


def test_a_process_runs_again_in_its_crate(worker: FlaskClient, finished: Finished, tmp_path: Path) -> None:
    folder, _ = crate(worker, finished("add", {"inputs": {"a": 40, "b": 2}}), tmp_path)
    command = written(folder)
    assert command[0] == "geomill"
    module = [sys.executable, "-P", "-m", "geomill.app.cli", *command[1:], "--json"]
    settings = Settings(home=folder / "again", runtime_dir=tmp_path / "run")
    here = environ({"runtime_dir": str(settings.runtime_dir)})
    try:
        done = subprocess.run(module, cwd=folder, env=here, capture_output=True, text=True, timeout=60)
    finally:
        Engine(settings, open_store(settings)).retire()
        os.close(take(settings.runtime_dir / ELECTION, fcntl.LOCK_EX))  # the dispatcher has it until it has left
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"result": 42}


def written(folder: Path) -> list[str]:
    """The command that the crate's own page says."""
    (line,) = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("    ")]
    return shlex.split(line)


def test_a_crate_is_the_same_each_time(client: FlaskClient, workflow: str) -> None:
    first, second = (client.get(f"{workflow}/ro-crate.zip").data for _ in range(2))
    assert first == second


def test_there_is_no_crate_before_the_end(client: FlaskClient) -> None:
    body = {"inputs": {"echoInput": "x"}}
    job = client.post("/processes/echo/execution", json=body, headers={"Prefer": "respond-async"}).headers["Location"]
    reply = client.get(f"{job}/ro-crate.zip")
    assert reply.status_code == 404 and reply.json["type"].endswith("result-not-ready")


def test_a_large_file_goes_through_a_small_memory(tmp_path: Path) -> None:
    large = tmp_path / "large.tif"
    with large.open("wb") as file:
        os.truncate(file.fileno(), 64 * 2**20)
    pieces = archive.stream([Entry("large.tif", large, "image/tiff")], now(), "")
    sizes = [len(piece) for piece in pieces]
    assert sum(sizes) > 64 * 2**20 and max(sizes) < 2**20


# ---- what nobody else may see


@pytest.mark.parametrize("name", ["prov", "ro-crate.zip"])
def test_secrets_in_addresses_and_the_home_are_kept_back(
    client: FlaskClient, app: Geomill, tmp_path: Path, name: str
) -> None:
    body = {"inputs": {"imageInput": {"href": SECRET}, "echoInput": USER}, "subscriber": {"successUri": SECRET}}
    reply = client.post("/processes/echo/execution", json=body, headers={"Prefer": "respond-async"})
    job_id, home = reply.json["jobID"], str(app.settings.home)
    begin(app.jobs, job_id)
    (app.jobs.folder(job_id) / "log").write_text(f"reading {SECRET} in {home}/work\n")
    app.jobs.move(job_id, Status.FAILED, cause="exception", message=f"no {SECRET} in {home}")
    assert client.get(f"/jobs/{job_id}/inputs").json["inputs"] == body["inputs"]  # to whoever sent them
    content = client.get(f"/jobs/{job_id}/{name}").data
    if name != "prov":
        folder, _ = crate(client, f"/jobs/{job_id}", tmp_path)
        assert sound(folder, "process-run-crate", tmp_path)
        content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"https://example.org/scene.tif?part=1" in content
    assert not any(secret in content for secret in (b"5ec7e7", home.encode()))


@pytest.mark.parametrize(
    "text, left",
    [
        ("https://a.org/b?c=1&d=2", "https://a.org/b?c=1&d=2"),
        ("see https://a.org/b?token=x, or not", "see https://a.org/b or not"),
        ("https://a.org/b?sv=2&sig=x%3D&se=3#part", "https://a.org/b?sv=2&se=3#part"),
        ("https://u:p@a.org/@b", "https://a.org/@b"),
        ("https://a.org/?X%2DAmz-Credential=x", "https://a.org/"),
        ("https://a.org/?monkey=1&keyword=2", "https://a.org/?monkey=1&keyword=2"),
        ("what?token=x", "what?token=x"),
    ],
)
def test_what_opens_doors_is_cut_out_of_addresses(text: str, left: str) -> None:
    assert cut(text) == left
