"""The commands against services that are not ours."""

import json

import pytest
from support import wicked


def sent(server):
    return next(request for request in server.seen if request[0] == "POST")


@pytest.mark.parametrize(
    "quirks",
    [
        {},
        {"prefix": "/ogc/v1"},
        {"location": "relative", "prefix": "/ogc"},
        {"location": "none"},
        {"body": False},
        {"asynchronous": False},
    ],
)
def test_a_process_of_any_service_is_executed_and_followed(stranger, geomill, quirks):
    server = stranger(**quirks)
    done = geomill("processes", "execute", "double", "-i", "number=2", "--server", f"{server.url}/")
    assert (done.exit_code, done.stdout) == (0, "twice  4\n"), done.output
    assert sent(server)[3]["inputs"] == {"number": 2}
    assert sent(server)[2]["Prefer"] == "respond-async"


def test_a_synchronous_execution_asks_for_no_job(stranger, geomill):
    server = stranger(asynchronous=False)
    done = geomill("processes", "execute", "double", "-i", "number=2", "--sync", "--server", server.url)
    assert done.stdout == "twice  4\n"
    assert "Prefer" not in sent(server)[2]


def test_progress_is_told_line_by_line_where_no_terminal_is(stranger, geomill):
    done = geomill("processes", "execute", "double", "-i", "number=2", "--server", stranger().url)
    assert done.stderr.splitlines() == ["Job j1", "running  it is [31mrunning", "successful  it is [31msuccessful"]


def test_a_failed_job_gives_its_message_and_status_1(stranger, geomill):
    server = stranger(ending=("accepted", "failed"))
    done = geomill("processes", "execute", "double", "-i", "number=2", "--server", server.url)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == "Error: the job failed: it is [31mfailed"


@pytest.mark.parametrize("given", [["-i", "numbr=2"], ["-i", "number=two"], ["-i", "number"], ["--nonsense"]])
def test_a_mistake_in_the_command_has_status_2_and_starts_nothing(stranger, geomill, given):
    server = stranger()
    assert geomill("processes", "execute", "double", *given, "--server", server.url).exit_code == 2
    assert not server.jobs


def test_results_are_saved_to_a_folder(stranger, geomill, tmp_path):
    server = stranger(results={"image": {"href": "/file.tif", "type": "image/tiff"}, "count": 3})
    server.jobs["j1"] = 2
    done = geomill("jobs", "results", "j1", "--output", tmp_path / "new", "--server", server.url)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "new" / "image.tif").read_bytes() == b"II*\0"
    assert (tmp_path / "new" / "count.json").read_text() == "3"
    assert str(tmp_path / "new" / "image.tif") in done.stdout


def test_results_that_are_one_raw_file_are_saved_too(stranger, geomill, tmp_path):
    server = stranger(results=b"\x89PNG", results_type="image/png")
    server.jobs["j1"] = 2
    geomill("jobs", "results", "j1", "--output", tmp_path, "--server", server.url)
    assert (tmp_path / "result.png").read_bytes() == b"\x89PNG"


def test_links_to_other_schemes_are_not_followed(stranger, geomill, tmp_path):
    server = stranger(results={"image": {"href": "s3://bucket/a.tif"}})
    server.jobs["j1"] = 2
    shown = geomill("jobs", "results", "j1", "--server", server.url)
    assert shown.stdout == "image  s3://bucket/a.tif\n"
    done = geomill("jobs", "results", "j1", "--output", tmp_path, "--server", server.url)
    assert (done.exit_code, "only http and https" in done.stderr) == (1, True)


def test_a_file_of_this_host_that_a_server_names_is_not_copied(stranger, geomill, tmp_path):
    (tmp_path / "secret").write_text("x")
    server = stranger(results={"image": {"href": (tmp_path / "secret").as_uri()}})
    server.jobs["j1"] = 2
    done = geomill("jobs", "results", "j1", "--output", tmp_path / "out", "--server", server.url)
    assert done.exit_code == 1
    assert not list((tmp_path / "out").iterdir())


def test_the_pages_of_a_list_are_followed_to_the_end(stranger, geomill):
    assert geomill("processes", "ls", "--server", stranger().url).stdout.split() == ["double", "1", "other"]


def test_a_process_is_described(stranger, geomill):
    text = geomill("processes", "describe", "double", "--server", stranger().url).stdout
    assert "number  number, required" in text
    assert "name    string, optional" in text


def test_a_description_says_what_kind_of_values_there_are(stranger, geomill):
    bbox = {"allOf": [{"type": "object", "format": "ogc-bbox"}]}
    inputs = {
        "area": {"schema": bbox},
        "names": {"schema": {"type": "array", "items": {"type": "string"}}},
        "above": {"schema": {"type": "number", "minimum": 0, "exclusiveMinimum": True}},
        "many": {"schema": {"type": "integer"}, "maxOccurs": 5},
        "either": {"schema": {"oneOf": [{"type": "string"}, {"type": "number"}]}},
    }
    server = stranger(description={"id": "double", "version": "1", "inputs": inputs})
    text = geomill("processes", "describe", "double", "--server", server.url).stdout
    kinds = dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  "))
    assert kinds == {
        "area": "bounding box, required",
        "names": "array of string, required",
        "above": "number, above 0, required",
        "many": "integer, up to 5, required",
        "either": "string or number, required",
    }


def test_json_is_what_the_service_said(stranger, geomill):
    text = geomill("processes", "describe", "double", "--json", "--server", stranger().url).stdout
    assert json.loads(text)["inputs"]["number"] == {"schema": {"type": "number"}}


def test_a_list_of_jobs_is_filtered_where_the_service_does_not(stranger, geomill):
    server = stranger()
    server.jobs.update(a=0, b=2, c=2)
    found = geomill("jobs", "ls", "--status", "successful", "--limit", "1", "--json", "--server", server.url)
    assert [job["jobID"] for job in json.loads(found.stdout)] == ["b"]


def test_the_server_may_be_named_by_the_environment(stranger, geomill, monkeypatch):
    server = stranger()
    server.jobs["j1"] = 2
    monkeypatch.setenv("GEOMILL_SERVER", server.url)
    assert "successful" in geomill("jobs", "show", "j1").stdout
    assert "successful" in geomill("jobs", "show", f"{server.url}/jobs/j1").stdout


def test_a_server_and_a_home_cannot_both_be_named(geomill, tmp_path):
    done = geomill("jobs", "ls", "--server", "http://127.0.0.1:1", "--home", tmp_path)
    assert done.exit_code == 2


def test_dismiss_stops_a_running_job_alone(stranger, geomill):
    server = stranger(ending=("accepted", "running", "running", "running", "successful"))
    server.jobs.update(j1=0, j2=4)
    assert geomill("jobs", "dismiss", "j1", "--server", server.url).stdout == "j1 dismissed\n"
    done = geomill("jobs", "dismiss", "j2", "--server", server.url)
    assert (done.exit_code, "j2" in server.jobs) == (1, True)
    assert done.stderr == "Error: j2: the job has ended (successful); `remove` deletes it\n"


def test_remove_removes_a_finished_job_alone(stranger, geomill):
    server = stranger(ending=("accepted", "running", "running", "successful"))
    server.jobs.update(j1=0, j2=3)
    done = geomill("jobs", "remove", "j1", "--server", server.url)
    assert (done.exit_code, "j1" in server.jobs) == (1, True)
    assert done.stderr == "Error: j1: the job is running; `dismiss` stops it\n"
    assert geomill("jobs", "remove", "j2", "--server", server.url).stdout == "j2 removed\n"
    assert "j2" not in server.jobs


def test_a_job_that_reports_progress_meanwhile_is_dismissed_all_the_same(stranger, geomill):
    server = stranger(etags=True, ending=("accepted",) + ("running",) * 9)
    server.jobs["j1"], server.jump = 0, 2
    assert geomill("jobs", "dismiss", "j1", "--server", server.url).exit_code == 0
    assert [request[0] for request in server.seen].count("DELETE") == 3


def test_a_job_that_changed_meanwhile_is_not_removed(stranger, geomill):
    server = stranger(etags=True)
    server.jobs["j1"], server.jump = 2, 1
    assert "changed meanwhile" in geomill("jobs", "remove", "j1", "--server", server.url).stderr
    assert "j1" in server.jobs


def test_a_service_without_logs_says_so(stranger, geomill):
    server = stranger()
    server.jobs["j1"] = 2
    assert (
        geomill("jobs", "logs", "j1", "--server", server.url).stderr == "Error: j1: no log is shown by this service\n"
    )


@pytest.mark.parametrize(
    "url, message",
    [
        ("http://127.0.0.1:1", "http://127.0.0.1:1/jobs/j1: cannot be reached: Connection refused"),
        ("ftp://example.org", "ftp://example.org: expected an http or https address"),
        ("example.org", "example.org: expected an http or https address"),
    ],
)
def test_a_server_that_is_not_there_is_one_line(geomill, url, message):
    done = geomill("jobs", "show", "j1", "--server", url)
    assert (done.exit_code, done.stderr) == (1, f"Error: {message}\n")


def test_an_error_of_the_service_is_one_line(stranger, geomill):
    done = geomill("jobs", "show", "j9", "--server", stranger().url)
    assert (done.exit_code, done.stderr) == (1, "Error: there is no /jobs/j9\n")


@pytest.fixture(scope="module")
def wicked_url():
    with wicked.serving() as server:
        yield server.url


@pytest.mark.parametrize("kind", ["astray", "escapes", "short", "local"])
@pytest.mark.parametrize("command", [["processes", "ls"], ["jobs", "show", "j"], ["jobs", "retry", "j"]])
def test_a_server_that_means_harm_gets_one_line(wicked_url, geomill, kind, command):
    done = geomill(*command, "--server", f"{wicked_url}/{kind}")
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1 and "\x1b" not in done.stderr


def test_jobs_are_listed_whatever_one_of_them_is(wicked_url, geomill):
    assert "0001-01-01T00:00:00+23:59" in geomill("jobs", "ls", "--server", f"{wicked_url}/lists").stdout


@pytest.mark.parametrize("name", ["", ".", ".."])
@pytest.mark.parametrize(
    "command, what", [("jobs show", "job"), ("jobs remove", "job"), ("processes describe", "process")]
)
def test_a_name_that_no_path_has_is_refused(wicked_url, geomill, name, command, what):
    done = geomill(*command.split(), name, "--server", f"{wicked_url}/lists")
    assert (done.exit_code, done.stderr) == (1, f"Error: {name!r}: no {what} is called so\n")


def test_a_tenant_is_one_of_a_server_not_of_a_fragment(wicked_url, geomill):
    done = geomill("processes", "ls", "--tenant", "acme", "--server", f"{wicked_url}/lists/#top")
    assert (done.exit_code, done.stdout) == (0, "p\n")
