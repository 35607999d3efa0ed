"""The client on a server of ours: processes, jobs, files, failures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
import pytest
import shapely

from geomill.client import Client, File, InputError, JobFailed, ServiceError, StillRunning

POINT = {"type": "Point", "coordinates": [8, 47]}


def test_processes_are_a_list_and_a_table(server: Client) -> None:
    found = server.processes()
    assert {"count", "echo", "buffer"} <= {process.id for process in found}
    assert repr(found).splitlines()[0].split() == ["process", "version", "title"]
    assert "count       1.0.0    Count" in repr(found).splitlines()
    (count,) = (process for process in found if process.id == "count")
    assert (count.title, count.version, list(count.description()["inputs"])) == ("Count", "1.0.0", ["to"])
    assert count.execute(to=2).results() == {"result": 2}


def test_a_description_is_shown_in_words(server: Client) -> None:
    assert "  to  integer, required" in repr(server.process("count").description())


def test_a_job_goes_from_its_start_to_its_end(server: Client, capsys: pytest.CaptureFixture[str]) -> None:
    job = server.execute("count", to=3)
    assert job.id and job.url == f"{server.url}/jobs/{job.id}"
    assert job.wait(60) is job
    assert (job.status, job.progress) == ("successful", 100)
    assert job.results() == {"result": 3}
    assert job.logs().splitlines() == ["at 0", "at 1", "at 2"]
    assert job.info["processID"] == "count"
    assert repr(job).startswith(f"<Job count {job.id}: successful")
    assert "successful" in capsys.readouterr().err
    job.remove()
    with pytest.raises(ServiceError) as gone:
        server.job(job.id)
    assert (gone.value.status, str(gone.value.type).rpartition("/")[2]) == (404, "no-such-job")
    assert gone.value.title and gone.value.detail


def test_a_client_may_be_silent(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert Client(url, progress=False).execute("count", to=1).results() == {"result": 1}
    assert capsys.readouterr().err == ""


def test_inputs_are_given_by_name_in_a_mapping_or_as_a_request(server: Client) -> None:
    jobs = [
        server.execute("count", {"to": 1}),
        server.execute("count", {"to": 5}, to=1),
        server.execute("count", request={"inputs": {"to": 1}}),
        server.execute("count", request={"inputs": {"to": 5}}, to=1, outputs="result"),
        server.execute("count", to=numpy.int64(1), outputs=["result"]),
    ]
    assert [job.results() for job in jobs] == [{"result": 1}] * 5


@pytest.mark.parametrize("geometry", [POINT, shapely.Point(8, 47), {"value": POINT}])
def test_geometries_are_objects_or_what_has_their_interface(server: Client, geometry: object) -> None:
    assert server.execute("name", geometry=geometry).results() == {"result": "Point"}


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_file_is_an_input(server: Client, tmp_path: Path, size: int) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * size)
    assert server.execute("measure", file=tmp_path / "a.bin").results() == {"result": size}
    assert server.execute("measure", file=b"x" * size).results() == {"result": size}


def test_files_are_read_and_saved(server: Client, tmp_path: Path) -> None:
    job = server.execute("draw", count=2)
    first, second = job.results()["result"]
    assert isinstance(first, File) and first.href and first.href.startswith(server.url)
    assert (first.media_type, first.read()) == ("image/png", b"picture")
    assert job.save(tmp_path / "new") == [tmp_path / "new" / "result.1.png", tmp_path / "new" / "result.2.png"]
    assert second.save(tmp_path) == tmp_path / "result.2.png"
    assert second.save(tmp_path / "mine.png").read_bytes() == b"picture"


def test_a_file_of_one_job_is_an_input_of_the_next(server: Client) -> None:
    (picture,) = server.execute("draw").results()["result"]
    assert server.execute("measure", file=picture).results() == {"result": len(b"picture")}


def test_a_failed_job_says_why_with_the_end_of_its_log(server: Client) -> None:
    job = server.execute("fail")
    with pytest.raises(JobFailed, match="the job failed: .*it was meant to") as failed:
        job.results()
    assert "before it fails" in failed.value.log
    assert any("  before it fails" in note for note in failed.value.__notes__)
    assert failed.value.info["jobID"] == job.id
    assert job.status == "failed"


def test_a_job_that_runs_can_be_left_found_again_and_dismissed(server: Client) -> None:
    job = server.execute("hold")
    with pytest.raises(StillRunning, match="goes on"):
        job.wait(0.2)
    again = server.job(str(job.id))
    assert again.status in ("accepted", "running")
    with pytest.raises(ServiceError, match="`dismiss` stops it"):
        again.remove()
    assert again.dismiss().status == "dismissed"
    with pytest.raises(JobFailed, match="dismissed"):
        job.wait()
    with pytest.raises(ServiceError, match="has ended"):
        job.dismiss()


def test_jobs_are_listed_page_by_page(server: Client) -> None:
    made = [server.execute("count", to=number).wait().id for number in range(3)]
    found = server.jobs(process="count", limit=2)
    assert [job.id for job in found] == made[:0:-1]
    assert repr(found).splitlines()[0].split()[:3] == ["job", "process", "status"]
    assert {job.id for job in server.jobs(limit=None)} >= set(made)
    assert all(job.status == "successful" for job in server.jobs(status="successful"))


INTERRUPTED = """
import os, signal, sys, threading
from geomill.client import Client
job = Client(sys.argv[1]).execute("hold")
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    job.wait()
except KeyboardInterrupt:
    print(job.status, job.id)
"""


def test_an_interrupt_leaves_the_job_and_says_how_to_get_back(server: Client) -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED, server.url], capture_output=True, text=True, timeout=60)
    status, job_id = done.stdout.split()
    assert status in ("accepted", "running")
    way_back = f"Client({server.url!r}).job({job_id!r})"
    assert f"The job goes on. To get back to it: {way_back}" in done.stderr
    assert eval(way_back).dismiss().status == "dismissed"


@pytest.mark.parametrize(
    "inputs, message",
    [
        ({"too": 1}, "too: the process has no such input; the nearest is to"),
        ({"to": object()}, "to: expected a value of JSON, a Path, bytes or a geometry, found object"),
        ({"to": float("nan")}, "to: nan is no number of JSON"),
        ({"to": Path("/nowhere")}, "/nowhere: No such file or directory"),
        ({"to": Path("/tmp")}, "/tmp: Is a directory"),
    ],
)
def test_what_cannot_be_sent_is_said_first(server: Client, inputs: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as refused:
        server.execute("count", inputs)
    assert str(refused.value) == message


def test_what_the_server_refuses_is_an_error_with_its_words(server: Client) -> None:
    with pytest.raises(ServiceError) as refused:
        server.execute("count", to="three")
    assert refused.value.status == 400
    assert "to" in str(refused.value.detail)
    with pytest.raises(ServiceError) as unknown:
        server.execute("none")
    assert unknown.value.status == 404
    with pytest.raises(InputError, match="no such output; there are result"):
        server.execute("count", to=1, outputs=["reslt"])


def test_a_client_imports_little_and_nothing_of_the_server() -> None:
    code = "import sys, geomill.client; geomill.client.Client('http://127.0.0.1:1'); print(list(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    modules = eval(done.stdout)
    assert {name.split(".")[1] for name in modules if name.startswith("geomill.")} == {"client"}
    assert not {"flask", "click", "numpy", "marshmallow", "IPython", "werkzeug", "jsonschema_rs"} & set(modules)
