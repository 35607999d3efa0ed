"""Packages deployed, run, read step by step, retried and undeployed by commands, on a home and over HTTP."""

import json

import pytest

from geomill.app.sandbox import bubblewrap

pytest.importorskip("cwltool", reason="the extra cwl is not installed")

ECHO = {
    "class": "CommandLineTool", "id": "say", "baseCommand": ["echo", "hello"],
    "inputs": {}, "outputs": {"o": "stdout"},
}  # fmt: skip
FALL = {
    "class": "CommandLineTool", "id": "fall", "baseCommand": ["sh", "-c", "echo it falls >&2; exit 3"],
    "inputs": {"f": "File"}, "outputs": {},
}  # fmt: skip
STEPS = {
    "class": "Workflow", "id": "both", "inputs": {}, "outputs": {},
    "steps": {
        "first": {"run": "#say", "in": {}, "out": ["o"]},
        "second": {"run": "#fall", "in": {"f": "first/o"}, "out": []},
    },
}  # fmt: skip


@pytest.fixture
def package(tmp_path):
    """A document of three processes."""
    path = tmp_path / "package.cwl"
    path.write_text(json.dumps({"cwlVersion": "v1.2", "$graph": [ECHO, FALL, STEPS]}))
    return path


def failing(ours):
    assert ours("processes", "execute", "both").returncode == 1
    return json.loads(ours("jobs", "ls", "--process", "both", "--limit", "1", "--json").stdout)[0]["jobID"]


def test_a_package_is_deployed_and_undeployed(ours, package):
    done = ours("processes", "deploy", package, "--w", "say")
    assert (done.returncode, done.stdout) == (0, "say\n"), done.stderr
    assert "say" in ours("processes", "ls").stdout
    again = ours("processes", "deploy", package, "--w", "say")
    assert (again.returncode, again.stdout) == (1, "")
    assert ours("processes", "undeploy", "say").returncode == 0
    assert ours("processes", "undeploy", "say").returncode == 1


def test_what_is_no_package_is_said_in_one_line(ours, package):
    package.write_text("class: [\ninputs: {}\n")
    done = ours("processes", "deploy", package)
    assert (done.returncode, done.stderr.count("\n"), "YAML" in done.stderr) == (1, 1, True), done.stderr


@pytest.mark.skipif(bool(bubblewrap.closed()), reason="tools cannot be kept apart on this host")
def test_the_logs_of_steps_are_printed_and_a_job_is_retried(ours, package):
    assert ours("processes", "deploy", package, "--w", "both").returncode == 0
    try:
        job_id = failing(ours)
        assert "it falls" in ours("jobs", "logs", job_id, "second").stdout
        wrong = ours("jobs", "logs", job_id, "third")
        assert (wrong.returncode, "there are first, second" in wrong.stderr) == (1, True), wrong.stderr
        again = ours("jobs", "retry", job_id).stdout.strip()
        assert again != job_id
        assert json.loads(ours("jobs", "show", again, "--json").stdout)["processID"] == "both"
        assert ours("jobs", "retry", "nothing").returncode == 1
    finally:
        assert ours("processes", "undeploy", "both").returncode == 0
