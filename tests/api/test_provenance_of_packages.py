"""Where the results of real CWL jobs come from: PROV and crates of packages that were deployed and executed."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from api.conftest import CheckedClient
from flask.testing import FlaskClient
from prov.model import ProvDocument
from support import crates
from support.mills import dispatching
from support.variants import thorough
from support.water import EXAMPLE, INLET

sys.path.insert(0, str(EXAMPLE.parent))
from backstage import serving as files_at  # noqa: E402
from demo_cwl import halves  # noqa: E402

from geomill.app import create_app  # noqa: E402
from geomill.app.config import Settings  # noqa: E402
from geomill.app.provenance.prov import ENCODINGS  # noqa: E402
from geomill.app.sandbox import bubblewrap  # noqa: E402
from geomill.app.server import Geomill  # noqa: E402

pytestmark = [
    pytest.mark.skipif(not find_spec("cwltool"), reason="cwltool is not installed"),
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph:DeprecationWarning", "ignore::DeprecationWarning:rdflib"),
]
JSON = "application/json"
READ = {**ENCODINGS, JSON: {"format": "json"}}
ECHO = """
cwlVersion: v1.2
class: CommandLineTool
id: say
baseCommand: echo
inputs: {word: {type: string, inputBinding: {}}}
stdout: said.txt
outputs: {said: stdout}
"""
COUNTING = """
cwlVersion: v1.2
$namespaces: {s: "https://schema.org/", edam: "http://edamontology.org/"}
s:softwareVersion: 1.2.0
s:license: https://spdx.org/licenses/MIT
s:author:
- {class: s:Person, s:name: Ann Example, s:email: ann@example.org, s:identifier: https://orcid.org/0000-0002-1825-0097}
- {class: s:Organization, s:name: An Institute}
$graph:
- class: Workflow
  id: main
  label: Count
  requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}}
  inputs:
    texts: {type: "File[]", format: [edam:format_3752, edam:format_2330]}
    place: {type: {type: record, name: place, fields: {name: string, file: {type: File, format: edam:format_2330}}}}
    wanted: {type: File, default: {class: File, basename: none.txt, contents: ""}}
    fail: {type: boolean, default: false}
  outputs:
    counts: {type: "File[]", outputSource: count/counted}
    both: {type: {type: record, name: both, fields: {first: File, number: int}}, outputSource: pair/both}
    all: {type: Directory, outputSource: gather/folder}
    missing: {type: "File?", outputSource: gather/missing}
  steps:
    count: {run: "#count", scatter: text, in: {text: texts}, out: [counted]}
    pair: {run: "#pair", in: {files: count/counted, place: place}, out: [both]}
    gather: {run: "#gather", in: {files: count/counted, wanted: wanted}, out: [folder, missing]}
- class: CommandLineTool
  id: count
  baseCommand: [sh, -c, 'echo "counting $PWD" >&2; wc -c < "$0"']
  inputs: {text: {type: File, format: edam:format_2330, inputBinding: {}}}
  stdout: $(inputs.text.nameroot).count
  outputs: {counted: stdout}
- class: ExpressionTool
  id: pair
  requirements: {InlineJavascriptRequirement: {}}
  inputs: {files: "File[]", place: Any}
  outputs: {both: Any}
  expression: '${return {both: {first: inputs.place.file, number: inputs.files.length}};}'
- class: CommandLineTool
  id: gather
  baseCommand: [sh, -c, 'grep -q no "$0" && exit 3; mkdir -p out/in && cp "$@" out && echo deep > out/in/deep.txt']
  inputs: {wanted: {type: File, inputBinding: {position: 1}}, files: {type: "File[]", inputBinding: {position: 2}}}
  outputs:
    folder: {type: Directory, outputBinding: {glob: out}}
    missing: {type: "File?", outputBinding: {glob: not-there}}
"""
TEXTS = {
    "texts": [{"value": "one", "mediaType": "text/plain"}, {"value": "three", "mediaType": "text/plain"}],
    "place": {"value": {"name": "here", "file": {"value": "eA==", "encoding": "base64", "mediaType": "text/plain"}}},
}
LISTED = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [sh, -c, 'cd "$0" && find . -type f | sort && cat scene.txt']
inputs: {folder: {type: Directory, inputBinding: {}}}
stdout: names.txt
outputs: {names: stdout}
"""


class Job(NamedTuple):
    """A job that has ended. status: with its message; outputs: its published files, by their paths."""

    path: str
    status: str
    outputs: dict[str, bytes]


Run = Callable[..., Job]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Geomill]:
    """An application that runs packages."""
    home = tmp_path_factory.mktemp("home")
    settings = Settings(
        home=home, runtime_dir=tmp_path_factory.mktemp("run"), allow=("127.0.0.1",), images=EXAMPLE / "images.toml",
        isolation="none" if bubblewrap.closed() else "sandbox",
    )  # fmt: skip
    app = create_app(settings)
    app.test_client_class = CheckedClient
    with dispatching(settings, shared=True):
        yield app


@pytest.fixture(scope="module")
def run(app: Geomill) -> Run:
    """Deploy a package, unless it is, and run it to its end."""
    client = app.test_client()

    def ended(document: str, inputs: dict[str, Any] | None, name: str, retried: str = "") -> Job:
        where = {"headers": {"Content-Type": "application/cwl+yaml"}}
        assert client.post(f"/processes?w={name}", data=document, **where).status_code in (201, 409)
        if retried:
            accepted = client.post(f"{retried}/retry")
        else:
            execute = {"json": {"inputs": inputs}, "headers": {"Prefer": "respond-async"}}
            accepted = client.post(f"/processes/{name}/execution", **execute)
        assert accepted.status_code == 201, accepted.text
        job_id = accepted.json["jobID"]
        status = app.engine.run(job_id, 60)
        folder = app.jobs.folder(job_id) / "outputs"
        found = {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}
        return Job(f"/jobs/{job_id}", " ".join(filter(None, (status.status.value, status.message))), found)

    return ended


@pytest.fixture(scope="module")
def echoed(run: Run) -> Job:
    """A job of a single tool."""
    return run(ECHO, {"word": "hello"}, "say")


@pytest.fixture(scope="module")
def counted(run: Run) -> Job:
    """A job of a workflow with files in arrays, a record and a folder."""
    return run(COUNTING, TEXTS, "main")


@pytest.fixture
def client(app: Geomill) -> FlaskClient:
    return app.test_client()


_sound: set[str] = set()  # the jobs whose crates were looked at


def crate(client: FlaskClient, job: Job, folder: Path) -> tuple[Path, dict[str, Any]]:
    """The crate of a job, unpacked into a folder, and its nodes by their ids; it is sound."""
    reply = client.get(f"{job.path}/ro-crate.zip")
    assert reply.status_code == 200
    with zipfile.ZipFile(io.BytesIO(reply.data)) as archive:
        archive.extractall(folder / "crate")
    content = json.loads((folder / "crate/ro-crate-metadata.json").read_text())
    if job.path not in _sound:
        for profile in ("process-run-crate", "workflow-run-crate"):
            assert crates.complaints(folder / "crate", profile, folder) == []
        _sound.add(job.path)
    assert crates.terms(content["@graph"]) <= {*crates.CONTEXT, *content["@context"][1]}
    return folder / "crate", {node["@id"]: node for node in content["@graph"]}


def run_again(folder: Path, beside: Path, *options: str, **environment: str) -> dict[str, Any]:
    """Do what the page of a crate says, with no containers: the outputs that cwltool prints."""
    (line,) = [line for line in (folder / "README.md").read_text().splitlines() if line.startswith("    ")]
    command = shlex.split(line)
    assert command[0] == "cwltool"
    beside.mkdir()
    environment |= {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(beside)}
    arguments = ("--no-container", "--outdir", beside, *options, *command[1:])
    done = crates.CWLTOOL(*arguments, environment=environment, folder=folder)
    assert done.returncode == 0, done.stderr
    outputs: dict[str, Any] = json.loads(done.stdout)
    return outputs


def content(file: dict[str, Any]) -> bytes:
    """What is in a file of cwltool's."""
    return Path(file["path"]).read_bytes()


# ---- W3C PROV


@pytest.mark.parametrize("media_type", READ)
@pytest.mark.parametrize("name", ["echoed", thorough("counted")])
def test_every_encoding_can_be_read_again(
    request: pytest.FixtureRequest, client: FlaskClient, name: str, media_type: str
) -> None:
    job: Job = request.getfixturevalue(name)
    reply = client.get(f"{job.path}/prov", headers={"Accept": media_type})
    assert (reply.status_code, reply.content_type) == (200, media_type)
    if media_type == "text/provenance-notation":  # which the library only writes
        assert reply.text.startswith("document\n") and reply.text.endswith("endDocument")
        return
    how = {key: value for key, value in READ[media_type].items() if key != "encoding"}
    read = {str(each.identifier.uri) for each in _elements(reply.data, how)}
    ours = {str(each.identifier.uri) for each in _elements(client.get(f"{job.path}/prov").data, {"format": "json"})}
    assert read == ours


def _elements(data: bytes, how: dict[str, str]) -> list[Any]:
    return [each for each in ProvDocument.deserialize(io.BytesIO(data), **how).get_records() if each.is_element()]


def test_outputs_are_told_by_their_parts(client: FlaskClient, counted: Job) -> None:
    told = client.get(f"{counted.path}/prov").json
    entities = {each["prov:label"]: each for name, each in told["entity"].items() if name.startswith("job:output")}
    files = {label for label, each in entities.items() if "schema:sha256" in each}
    assert files == {"counts[0]", "counts[1]", "both.first", "all/texts.count", "all/texts-1.count", "all/in/deep.txt"}
    assert entities["both.number"]["prov:value"] == 2
    for label in files:
        answer = client.get(entities[label]["prov:location"]["$"])
        assert hashlib.sha256(answer.data).hexdigest() == entities[label]["schema:sha256"]
        assert len(answer.data) == entities[label]["schema:contentSize"]
    assert client.get(entities["all"]["prov:location"]["$"]).json["links"]
    members = [each["prov:entity"] for each in told["hadMember"].values()]
    assert len(members) == len(set(members)) == 2 + 2 + 2 + 3  # of the input, and of the outputs


def test_steps_are_told_with_their_tools(client: FlaskClient, counted: Job) -> None:
    told = client.get(f"{counted.path}/prov").json
    steps = {each["prov:label"]: each for name, each in told["activity"].items() if name.startswith("job:step")}
    assert set(steps) == {"count", "count_2", "pair", "gather", "node_stage_out"}
    assert {each["api:outcome"] for each in steps.values()} == {"success"}
    assert steps["count"]["api:exitCode"] == 0 and steps["count"]["api:peakMemory"] > 0
    assert all(each["prov:startTime"] <= each["prov:endTime"] for each in steps.values())
    plans = {each["prov:activity"]: each.get("prov:plan") for each in told["wasAssociatedWith"].values()}
    assert plans["job:step.count"] == plans["job:step.count_2"] == "process:tool.count"
    assert plans["job:step.node_stage_out"] is None


@pytest.mark.thorough
def test_a_retry_is_told_with_what_it_reused(client: FlaskClient, run: Run, tmp_path: Path) -> None:
    wrong = {**TEXTS, "wanted": {"value": "no", "mediaType": "text/plain"}}
    failed = run(COUNTING, wrong, "main")
    again = run(COUNTING, None, "main", retried=failed.path)
    assert failed.status == again.status and failed.status.startswith("failed step gather failed with exit code 3")
    told = client.get(f"{again.path}/prov").json
    earlier = client.get(f"{failed.path}/prov").json
    assert told["prefix"]["retried"] == earlier["prefix"]["job"]
    informed = {each["prov:informed"] for each in told["wasInformedBy"].values()
                if each["prov:informant"] == "retried:run"}  # fmt: skip
    assert informed == {"job:run", "job:step.count", "job:step.count_2"}
    assert told["activity"]["job:step.count"]["api:outcome"] == "reused"
    assert told["activity"]["job:step.gather"]["api:exitCode"] == 3
    plans = {each["prov:activity"]: each.get("prov:plan") for each in told["wasAssociatedWith"].values()}
    assert plans["job:step.count"] == "process:tool.count"
    assert earlier["activity"]["job:step.gather"]["api:outcome"] == "permanentFail"
    _, nodes = crate(client, again, tmp_path)
    assert failed.path.rpartition("/")[2] in nodes["#run"]["description"]
    assert "result" not in nodes["#run"] or nodes["#run"]["result"] == []


# ---- crates


@pytest.mark.thorough
def test_the_crate_of_a_tool_runs_again(client: FlaskClient, echoed: Job, tmp_path: Path) -> None:
    folder, nodes = crate(client, echoed, tmp_path)
    assert nodes["document.cwl"]["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    again = run_again(folder, tmp_path / "again")
    assert content(again["said"]) == echoed.outputs["said.txt"] == b"hello\n"


@pytest.mark.thorough
def test_the_crate_of_a_workflow_runs_again(client: FlaskClient, counted: Job, tmp_path: Path) -> None:
    assert counted.status == "successful"
    folder, _ = crate(client, counted, tmp_path)
    order = json.loads((folder / "inputs.json").read_text())
    assert {each["format"] for each in (*order["texts"], order["place"]["file"])} == {"http://edamontology.org/format_2330"}
    again = run_again(folder, tmp_path / "again")
    found = {each["basename"]: content(each) for each in again["counts"]}
    assert found == {name: counted.outputs[name] for name in ("texts.count", "texts-1.count")}
    assert again["both"]["number"] == 2
    assert content(again["both"]["first"]) == b"x" == counted.outputs[again["both"]["first"]["basename"]]
    place = Path(again["all"]["path"])
    assert {f"all/{each.relative_to(place)}": each.read_bytes() for each in place.rglob("*") if each.is_file()} == {
        name: data for name, data in counted.outputs.items() if name.startswith("all/")
    }


def test_a_crate_lists_what_it_holds_with_the_checksums_of_the_job(
    client: FlaskClient, counted: Job, tmp_path: Path
) -> None:
    folder, nodes = crate(client, counted, tmp_path)
    listed = {part["@id"] for part in nodes["./"]["hasPart"] if not part["@id"].endswith("/")}
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert listed | {"ro-crate-metadata.json"} == held
    for name, data in counted.outputs.items():
        assert nodes[f"outputs/{name}"]["sha256"] == hashlib.sha256(data).hexdigest()
        assert (folder / "outputs" / name).read_bytes() == data
    inside = {part["@id"] for part in nodes["outputs/all/"]["hasPart"]}
    assert inside == {f"outputs/{name}" for name in counted.outputs if name.startswith("all/")}
    assert nodes["outputs/all/"]["exampleOfWork"] == [{"@id": "#output-parameter-all"}]
    assert nodes["#output-parameter-all"]["additionalType"] == "Dataset"
    assert nodes["#output-parameter-counts"]["additionalType"] == "File"


@pytest.mark.thorough
def test_a_crate_has_the_licence_and_the_authors_of_its_document(
    client: FlaskClient, counted: Job, echoed: Job, tmp_path: Path
) -> None:
    _, nodes = crate(client, counted, tmp_path)
    for node in (nodes["./"], nodes["document.cwl"]):
        assert node["license"] == {"@id": "https://spdx.org/licenses/MIT"}
        assert node["author"] == [{"@id": "https://orcid.org/0000-0002-1825-0097"}, {"@id": "#author-2"}]
    ann, institute = (nodes[each["@id"]] for each in nodes["./"]["author"])
    assert (ann["@type"], ann["name"], ann["email"]) == ("Person", "Ann Example", "ann@example.org")
    assert (institute["@type"], institute["name"]) == ("Organization", "An Institute")
    _, nodes = crate(client, echoed, tmp_path / "other")
    assert "No license is stated" in nodes["./"]["license"] and "author" not in nodes["./"]


@pytest.mark.thorough
def test_a_directory_is_what_the_crate_asks_for(client: FlaskClient, run: Run, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/scene.txt").write_text("a scene\n")
    with zipfile.ZipFile(tmp_path / "images/scene.zip", "w") as archive:
        archive.write(tmp_path / "images/scene.txt", "scene.txt")
    with files_at(tmp_path / "images") as url:
        listed = run(LISTED, {"folder": {"href": f"{url}/scene.zip"}}, "listed")
        assert listed.status == "successful"
        folder, nodes = crate(client, listed, tmp_path)
        assert nodes[f"{url}/scene.zip"]["@type"] == "Dataset"
        page = (folder / "README.md").read_text()
        assert f"`inputs/folder/scene.zip/` with what is at <{url}/scene.zip>" in page
    zipfile.ZipFile(tmp_path / "images/scene.zip").extractall(folder / "inputs/folder/scene.zip")
    again = run_again(folder, tmp_path / "again")
    assert content(again["names"]) == listed.outputs["names.txt"] == b"./scene.txt\na scene\n"


@pytest.mark.thorough
def test_the_crate_of_water_bodies_runs_again(client: FlaskClient, run: Run, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    document = (EXAMPLE / "water-bodies.cwl").read_text()
    with files_at(tmp_path / "images") as url:
        items = [f"{url}/{name}/item.json" for name in halves(tmp_path / "images")]
        job = run(document, {"stac_items": items, "aoi": INLET}, "water-bodies")
        assert job.status == "successful"
        told = client.get(f"{job.path}/prov").json
        catalogue = told["entity"]["job:output.stac_catalog"]
        assert catalogue["schema:encodingFormat"] == "application/geo+json"
        assert len(client.get(catalogue["prov:location"]["$"]).json["features"]) == 2
        folder, nodes = crate(client, job, tmp_path)
        tools = str(EXAMPLE / "tools")
        again = run_again(folder, tmp_path / "again", "--preserve-environment", "PYTHONPATH", PYTHONPATH=tools)
    assert len(nodes["outputs/stac_catalog/"]["hasPart"]) == 6
    place = Path(again["stac_catalog"]["path"])
    for name in ("virginia-west/otsu.tif", "virginia-east/otsu.tif"):
        assert (place / name).read_bytes() == job.outputs[f"stac_catalog/{name}"]


# ---- what nobody else may see


@pytest.mark.parametrize("name", ["echoed", thorough("counted")])
def test_the_home_is_in_no_provenance(
    request: pytest.FixtureRequest, app: Geomill, client: FlaskClient, name: str, tmp_path: Path
) -> None:
    job, home = request.getfixturevalue(name), str(app.settings.home).encode()
    folder, _ = crate(client, job, tmp_path)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert [str(path) for path, data in files.items() if home in data] == []
    for media_type in READ:
        assert home not in client.get(f"{job.path}/prov", headers={"Accept": media_type}).data
