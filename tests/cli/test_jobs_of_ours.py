"""The commands on a home and over HTTP on our own server: the same words, the same answers."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def last_job(ours, process_id):
    return json.loads(ours("jobs", "ls", "--process", process_id, "--limit", "1", "--json").stdout)[0]["jobID"]


def start_holding(place):
    """A command that waits for a job which has begun; and the job."""
    command = [sys.executable, "-m", "geomill.app.cli", "processes", "execute", "hold"]
    waiting = subprocess.Popen(command, env=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    job_id = waiting.stderr.readline().removeprefix("Job ").strip()
    line = ""
    while "running" not in line:
        line = waiting.stderr.readline()
        assert line
    return waiting, job_id


def test_processes_are_listed_and_described(ours):
    assert "count" in ours("processes", "ls").stdout
    assert "to  integer, required" in ours("processes", "describe", "count").stdout


def test_a_process_is_executed_and_its_job_kept(ours):
    done = ours("processes", "execute", "count", "-i", "to=3")
    assert (done.returncode, done.stdout) == (0, "result  3\n"), done.stderr
    job_id = last_job(ours, "count")
    assert done.stderr.splitlines()[0] == f"Job {job_id}"
    assert "successful" in done.stderr.splitlines()[-1]
    assert json.loads(ours("jobs", "results", job_id, "--json").stdout) == {"result": 3}
    assert ours("jobs", "logs", job_id).stdout.splitlines() == ["at 0", "at 1", "at 2"]
    assert "processID  count" in ours("jobs", "show", job_id).stdout


def test_a_request_in_a_file_is_executed(ours, tmp_path):
    path = tmp_path / "request.json"
    path.write_text('{"inputs": {"to": 3}, "outputs": {"result": {}}}')
    done = ours("processes", "execute", "count", "--request", str(path))
    assert (done.returncode, done.stdout) == (0, "result  3\n"), done.stderr
    done = ours("processes", "execute", "count", "--request", str(path), "-i", "to=2")
    assert (done.returncode, done.stdout) == (0, "result  2\n"), done.stderr


@pytest.mark.parametrize("content", ["", "[]", '{"inputs": [1]}'])
def test_a_file_that_is_no_request_is_refused(ours, tmp_path, content):
    path = tmp_path / "request.json"
    path.write_text(content)
    done = ours("processes", "execute", "count", "--request", str(path))
    assert done.returncode == 2 and str(path) in done.stderr


def test_a_synchronous_execution_prints_the_same(ours):
    done = ours("processes", "execute", "count", "-i", "to=3", "--sync")
    assert (done.returncode, done.stdout) == (0, "result  3\n"), done.stderr


def test_the_words_of_a_failed_job_are_shown(ours):
    done = ours("processes", "execute", "fail")
    assert done.returncode == 1
    assert "  before it fails" in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1].startswith("Error: the job failed: ")
    assert "it was meant to" in done.stderr.splitlines()[-1]


def test_a_bad_input_is_refused_in_one_line(ours):
    done = ours("processes", "execute", "count", "-i", "to=-1.5")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "to" in done.stderr


def test_a_file_is_saved(ours, tmp_path):
    done = ours("processes", "execute", "draw", "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    (saved,) = (tmp_path / "out").iterdir()
    assert saved.read_bytes() == b"picture"
    assert str(saved) in done.stdout


def test_a_waiting_command_that_is_interrupted_leaves_the_job(ours, place):
    waiting, job_id = start_holding(place)
    waiting.send_signal(signal.SIGINT)
    _, told = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert f"The job goes on. To stop it: geomill jobs dismiss {job_id}" in told
    assert "running" in ours("jobs", "show", job_id).stdout
    refused = ours("jobs", "remove", job_id)
    assert (refused.returncode, "`dismiss` stops it" in refused.stderr) == (1, True)
    assert ours("jobs", "dismiss", job_id).stdout == f"{job_id} dismissed\n"
    refused = ours("jobs", "dismiss", job_id)
    assert (refused.returncode, "`remove` deletes it" in refused.stderr) == (1, True)
    assert ours("jobs", "remove", job_id).stdout == f"{job_id} removed\n"
    assert ours("jobs", "show", job_id).returncode == 1


def test_a_log_is_followed_to_the_end_of_the_job(ours, place):
    waiting, job_id = start_holding(place)
    command = [sys.executable, "-m", "geomill.app.cli", "jobs", "logs", "-f", job_id]
    following = subprocess.Popen(command, env=place, stdout=subprocess.PIPE, text=True)
    assert following.stdout.readline() == "holding\n"
    ours("jobs", "dismiss", job_id)
    assert following.communicate(timeout=30)[0] == ""
    assert waiting.communicate(timeout=30)[1].endswith("Error: the job was dismissed\n")
    assert (following.returncode, waiting.returncode) == (0, 1)


def test_a_job_of_a_command_is_as_one_of_a_request(shell, serving, place):
    shell("processes", "execute", "count", "-i", "to=1")
    shell("processes", "execute", "count", "-i", "to=1", "--server", serving)
    second, first = json.loads(shell("jobs", "ls", "--process", "count", "--limit", "2", "--json").stdout)
    jobs = Path(place["GEOMILL_HOME"], "default", "jobs")
    folders = [jobs / job["jobID"][:7] / job["jobID"] for job in (first, second)]
    assert len({(folder / "request.json").read_bytes() for folder in folders}) == 1
    records = [json.loads((folder / "job.json").read_bytes()) for folder in folders]
    varying = {"job_id", "key", "created", "updated", "started", "finished", "pid", "start_time"}
    assert len({json.dumps({name: record[name] for name in record if name not in varying}) for record in records}) == 1


def test_several_jobs_are_removed_at_once(ours):
    for _ in range(2):
        ours("processes", "execute", "count", "-i", "to=1")
    jobs = [job["jobID"] for job in json.loads(ours("jobs", "ls", "--limit", "2", "--json").stdout)]
    done = ours("jobs", "remove", "none", *jobs)
    assert done.stdout.splitlines() == [f"{job_id} removed" for job_id in jobs]
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_a_job_that_is_not_there_is_one_line(ours):
    done = ours("jobs", "show", "nothing")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no job 'nothing'") and done.stderr.count("\n") == 1


def test_waiting_ends_soon_after_the_job(shell):
    shell("processes", "execute", "count", "-i", "to=1")
    begin = time.monotonic()
    assert shell("processes", "execute", "count", "-i", "to=1").returncode == 0
    assert time.monotonic() - begin < 10
