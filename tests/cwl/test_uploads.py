"""Uploads as inputs of packages: files alone, in arrays, in records, and as directories, under their own names."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from cwl.conftest import LIMITS, needs_sandbox  # type: ignore[import-not-found]
from support.hostile import Json, deploy, glob, outputs, tool
from support.mills import Mill, serving
from support.others import needs_another_user
from support.variants import thorough

from geomill.app.config import Settings
from geomill.jobstore import Status

RECORD: Json = {"type": {"type": "record", "fields": {"file": "File", "number": "int"}}}
INPUTS: Json = {"one": "File", "many": "File[]", "record": RECORD, "folder": "Directory"}
# its inputs as a JSON file, which CWL writes
SCRIPT = """
import json, os
given = json.load(open('given.json'))
def read(path):
    return os.path.basename(path), open(path).read()
folder = given['folder']['path']
found = {
    'one': read(given['one']['path']),
    'many': [read(each['path']) for each in given['many']],
    'record': read(given['record']['file']['path']),
    'folder': [os.path.basename(folder), sorted(read(f'{folder}/{name}') for name in os.listdir(folder))],
}
json.dump(found, open('o.json', 'w'))
"""
REQUIREMENTS: Json = {
    "InlineJavascriptRequirement": {},
    "InitialWorkDirRequirement": {
        "listing": [{"entryname": "given.json", "entry": "$(JSON.stringify(inputs))"}],
    },
}


def upload(mill: Mill, name: str, content: bytes) -> str:
    with urllib3.PoolManager(retries=False, timeout=60) as pool:
        reply = pool.request("POST", f"{mill.url}/uploads", fields={"file": (name, content)})
    assert reply.status == 201, reply.data
    return str(reply.json()["href"])


@pytest.fixture(scope="module", params=["as the server", thorough("as another user")])
def mill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, server: Mill) -> Iterator[Mill]:
    """A server whose jobs run as its own user, or as one who can read nothing of the home."""
    needs_sandbox()
    if request.param == "as the server":
        yield server
        return
    root = tmp_path_factory.mktemp("mill")
    needs_another_user(root)
    settings = Settings(home=root / "home", runtime_dir=root / "run")
    with serving(settings, shared=True, job_user="nobody", **LIMITS) as mill:
        yield mill


@pytest.mark.thorough
def test_a_package_reads_what_was_uploaded(mill: Mill, name: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("scene/a.txt", "in a folder")
    first, second = upload(mill, "first map.tif", b"1"), upload(mill, "second.tif", b"2")
    folder = upload(mill, "scene.zip", packed.getvalue())
    deploy(mill, tool(SCRIPT, {"o": glob("o.json")}, INPUTS, requirements=REQUIREMENTS), name)
    job_id = mill.submit(
        name,
        one={"href": first},
        many=[{"href": second}, {"href": first.replace("/uploads/", "/ogc-api/uploads/")}],
        record={"value": {"file": {"href": second}, "number": 1}},
        folder={"href": folder},
    )
    assert mill.ended(job_id, 60).status is Status.SUCCESSFUL, mill.call("GET", f"/jobs/{job_id}/logs").data
    (path,) = outputs(mill, job_id)
    assert json.loads(Path(path).read_text()) == {
        "one": ["first map.tif", "1"],
        "many": [["second.tif", "2"], ["first map.tif", "1"]],
        "record": ["second.tif", "2"],
        "folder": ["scene", [["a.txt", "in a folder"]]],
    }


def test_one_that_is_not_there_is_said_in_a_record_too(server: Mill, name: str) -> None:
    deploy(server, tool("", {}, {"record": RECORD}), name)
    record = {"value": {"file": {"href": f"{server.url}/uploads/{'0' * 40}"}, "number": 1}}
    reply = server.call("POST", f"/processes/{name}/execution", {"inputs": {"record": record}})
    assert (reply.status, "record: value.file cannot be fetched" in reply.json()["detail"]) == (400, True), reply.data
