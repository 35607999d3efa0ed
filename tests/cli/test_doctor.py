"""What the commands say about this host and this home."""

import json

from geomill.app.config import Settings, known
from geomill.app.engine.client import open_store


def test_the_doctor_names_every_setting_and_its_origin(shell):
    told = shell("doctor", GEOMILL_GRACE="3 s")
    assert told.returncode == 0, told.stderr
    settings = told.stdout.split("\nSettings\n")[1]
    rows = {line.split()[0]: line for line in settings.strip().splitlines()}
    assert set(rows) == {each.name for each in known()}
    assert " 3 s " in rows["grace"] and "GEOMILL_GRACE" in rows["grace"]
    assert (" 30 d " in rows["keep"], " 80 % " in rows["keep_disk"], " 50 GB " in rows["max_work"]) == (True,) * 3
    assert "default" in rows["port"]


def test_the_doctor_speaks_to_programs(shell, place):
    told = json.loads(shell("doctor", "--json", GEOMILL_MIN_FREE_BYTES="1000 TB").stdout)
    (space,) = (row for row in told["Disk"] if row["name"] == "free space")
    assert space["note"] == "below min_free_bytes: no job is accepted"
    (home,) = (row for row in told["Settings"] if row["name"] == "home")
    assert (home["value"], home["note"]) == (place["GEOMILL_HOME"], "GEOMILL_HOME")
    assert told["Broken process files"] == []


def test_the_doctor_says_what_a_job_costs_here(shell):
    told = shell("doctor").stdout
    assert "PID namespace" in told
    assert "fork from template base" in told and "cannot be measured" not in told


def test_the_doctor_names_broken_process_files(shell, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "wrong.py").write_text("import nothing_of_the_kind\n")
    told = shell("doctor", "--processes", tmp_path / "mine").stdout
    (line,) = [line for line in told.splitlines() if "wrong.py" in line]
    assert "nothing_of_the_kind" in line


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


def test_the_doctor_says_what_tools_of_packages_run_in(shell):
    told = shell("doctor", GEOMILL_ISOLATION="none").stdout
    (section,) = [part for part in told.split("\n\n") if part.startswith("Isolation of deployed packages")]
    assert "bubblewrap" in section and "isolation is switched off" in section


def test_the_doctor_goes_on_where_the_tokens_are_torn(shell, place, tmp_path):
    home = tmp_path / "home"
    (home / "identity").mkdir(parents=True)
    (home / "identity" / "tokens.json").write_text('{"half')
    told = shell("doctor", GEOMILL_HOME=home, GEOMILL_RUNTIME_DIR=tmp_path / "run")
    assert told.returncode == 0
    assert "is no list of tokens; the server lets nobody in with one; restore the file from a backup" in told.stdout
    assert "\nSettings\n" in told.stdout
