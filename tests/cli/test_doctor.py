"""What the commands say about this host and this home."""

import json

import pytest

from geomill.app.config import Settings, known
from geomill.app.engine.client import open_store


@pytest.fixture(scope="module")
def told(shell, tmp_path_factory):
    """What the doctor says to people, of a server with settings of all origins and a broken file."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "wrong.py").write_text("import nothing_of_the_kind\n")
    done = shell("doctor", "--processes", folder, GEOMILL_GRACE="3 s", GEOMILL_ISOLATION="none")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    """A home whose tokens are torn."""
    home = tmp_path_factory.mktemp("torn") / "home"
    (home / "identity").mkdir(parents=True)
    (home / "identity" / "tokens.json").write_text('{"half')
    return home


@pytest.fixture(scope="module")
def document(shell, torn):
    """What it says to programs, of that home."""
    environment = {"GEOMILL_HOME": str(torn), "GEOMILL_RUNTIME_DIR": str(torn.parent / "run")}
    done = shell("doctor", "--json", GEOMILL_MIN_FREE_BYTES="1000 TB", **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.thorough
def test_the_doctor_names_every_setting_and_its_origin(told):
    settings = told.split("\nSettings\n")[1]
    rows = {line.split()[0]: line for line in settings.strip().splitlines()}
    assert set(rows) == {each.name for each in known()}
    assert " 3 s " in rows["grace"] and "GEOMILL_GRACE" in rows["grace"]
    assert (" 30 d " in rows["keep"], " 80 % " in rows["keep_disk"], " 50 GB " in rows["max_work"]) == (True,) * 3
    assert "default" in rows["port"]


def test_the_doctor_speaks_to_programs(document, torn):
    (space,) = (row for row in document["Disk"] if row["name"] == "free space")
    assert space["note"] == "below min_free_bytes: no job is accepted"
    (home,) = (row for row in document["Settings"] if row["name"] == "home")
    assert (home["value"], home["note"]) == (str(torn), "GEOMILL_HOME")
    assert document["Broken process files"] == []


def test_the_doctor_says_what_a_job_costs_here(told):
    assert "PID namespace" in told
    assert "fork from template base" in told and "cannot be measured" not in told


def test_the_doctor_names_broken_process_files(told):
    (line,) = [line for line in told.splitlines() if "wrong.py" in line]
    assert "nothing_of_the_kind" in line


def test_the_doctor_says_what_tools_of_packages_run_in(told):
    (section,) = [part for part in told.split("\n\n") if part.startswith("Isolation of deployed packages")]
    assert "bubblewrap" in section and "isolation is switched off" in section


def test_the_doctor_goes_on_where_the_tokens_are_torn(document):
    notes = [row.get("note", "") for row in document["Callers"]]
    expected = "is no list of tokens; the server lets nobody in with one; restore the file from a backup"
    assert any(expected in note for note in notes)
    assert document["Settings"]


def test_a_home_that_keeps_its_promises_has_no_findings(shell):
    done = shell("fsck")
    assert (done.returncode, done.stdout) == (0, "Nothing is wrong.\n"), done.stderr


def test_the_jobs_of_every_tenant_are_looked_at(shell, tmp_path):
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")
    wrong = open_store(settings, "acme").jobs / "0000000" / "no-job"
    wrong.mkdir(parents=True)
    done = shell("fsck", GEOMILL_HOME=str(settings.home), GEOMILL_RUNTIME_DIR=str(settings.runtime_dir))
    assert done.returncode == 1
    assert done.stdout.startswith(f"{wrong}: is not the folder of a job of this shard; ")


def test_the_version_is_told(shell):
    assert shell("--version").stdout.startswith("geomill ")
