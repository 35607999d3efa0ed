"""What makes a CWL job fast, by counting: its template has read and tried what a job would need for a first time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from support.variants import thorough

from geomill.app.sandbox import bubblewrap

pytestmark = [
    pytest.mark.skipif(not find_spec("cwltool"), reason="cwltool is not installed"),
    pytest.mark.skipif(bool(bubblewrap.closed()), reason="no bubblewrap on this host"),
]
TOOL = """
cwlVersion: v1.2
class: CommandLineTool
baseCommand: cat
requirements: {ResourceRequirement: {coresMin: 3}}
inputs: {text: {type: File, inputBinding: {}}}
stdout: said.txt
outputs: {said: stdout}
"""
WORKFLOW = """
cwlVersion: v1.2
class: Workflow
requirements: {ScatterFeatureRequirement: {}, InlineJavascriptRequirement: {}, StepInputExpressionRequirement: {}}
inputs: {words: "string[]"}
outputs: {all: {type: Directory, outputSource: gather/all}}
steps:
  say:
    scatter: word
    in: {word: words}
    out: [said]
    run:
      class: CommandLineTool
      baseCommand: echo
      inputs: {word: {type: string, inputBinding: {valueFrom: $(self.toUpperCase())}}}
      stdout: $(inputs.word).txt
      outputs: {said: stdout}
  gather:
    in: {files: say/said}
    out: [all]
    run:
      class: ExpressionTool
      inputs: {files: "File[]"}
      outputs: {all: Directory}
      expression: '${return {all: {class: "Directory", basename: "all", listing: inputs.files}};}'
"""
FILE = {"type": "string", "contentEncoding": "binary"}
WORDS = {"type": "array", "items": {"type": "string"}}
CASES = {
    "tool": (TOOL, {"text": {"value": "hello", "mediaType": "text/plain"}}, {"text": {"schema": FILE}}, ["3"]),
    "workflow": (WORKFLOW, {"words": ["one", "two"]}, {"words": {"schema": WORDS}}, ["1", "1"]),
}
# a template forks a job, which writes down what it does
JOB = """
import json, os, sys
from pathlib import Path
from geomill.app.config import Settings
from geomill.app.egress.way_out import WayOut
from geomill.app.engine import child
from geomill.app.exchange.request import read
from geomill.app.guard import Access
from geomill.app.runners import cwl
from geomill.app.runners.task import Task
from geomill.app.uploads.given import Given
from geomill.jobstore import Job
from geomill.jobstore.records import new_job_id, now

folder, document, inputs, described = Path(sys.argv[1]), *sys.argv[2:5]
settings = Settings(home=folder / "home", runtime_dir=folder / "run", workflow_cpus=4)
work = settings.home / "job" / "work"
for each in (settings.runtime_dir, work, work.with_name("logs")):
    each.mkdir(parents=True)
child.warm_up()
if os.fork() == 0:
    seen = []
    sys.addaudithook(lambda event, given: seen.append((event, [str(each) for each in given])))
    os.chdir(work)
    job = Job(new_job_id(), "", "", "", now(), "", "", "", "", runner="cwl")
    request = read(json.dumps({"inputs": json.loads(inputs)}).encode())
    task = Task(job, request, {"inputs": json.loads(described), "outputs": {}}, document.encode(), None, work,
                Access(), Given(work.with_name("given")), settings, lambda message: None,
                WayOut("http://127.0.0.1:9", False))
    cwl.run(task)
    told = {
        "modules": sorted({given[0] for event, given in seen if event == "import"}),
        "opened": [given[0] for event, given in seen if event == "open" and "r" in given[1]],
        "programs": [given[1] for event, given in seen if event == "subprocess.Popen"],
    }
    (folder / "told.json").write_text(json.dumps(told))
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.fixture(params=["workflow", thorough("tool")])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What a job did: {"modules", "opened", "programs", "cores": of each tool}."""
    document, inputs, described, cores = CASES[request.param]
    command = [sys.executable, "-P", "-c", JOB, str(tmp_path), document, json.dumps(inputs), json.dumps(described)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return {**json.loads((tmp_path / "told.json").read_text()), "cores": cores}


def test_a_job_imports_nothing(told: dict[str, Any]) -> None:
    assert told["modules"] == []


def test_a_job_reads_no_file_of_a_library(told: dict[str, Any]) -> None:
    assert [path for path in told["opened"] if path.endswith((".py", ".pyc", ".yml", ".json", ".js"))] == []
    assert [path for path in told["opened"] if "site-packages" in path] == []


def test_a_job_runs_its_tools_and_no_other_program(told: dict[str, Any]) -> None:
    assert len(told["programs"]) == len(told["cores"]), told["programs"]
    assert all("bwrap" in program for program in told["programs"])


def test_a_tool_begins_no_more_threads_than_it_has_cores(told: dict[str, Any]) -> None:
    asked = [re.findall("'--setenv', '(?:OMP|OPENBLAS)_NUM_THREADS', '(.*?)'", each) for each in told["programs"]]
    assert asked == [[cores] * 2 for cores in told["cores"]]
