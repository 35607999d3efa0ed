"""What the commands say about this host and this home."""

from geomill.app.config import Settings, known
from geomill.app.engine.client import open_store


def test_the_doctor_names_every_setting_and_its_origin(shell):
    told = shell("doctor", GEOMILL_GRACE="3 s")
    assert told.returncode == 0, told.stderr
    settings = told.stdout.split("\nSettings\n")[1]
    rows = {line.split()[0]: line for line in settings.strip().splitlines()}
    assert set(rows) == {each.name for each in known()}
    assert "3.0 s" in rows["grace"] and "GEOMILL_GRACE" in rows["grace"]
    assert "default" in rows["port"]


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
    assert done.stdout.startswith(f"{wrong}: promise ")


def test_the_version_is_told(shell):
    assert shell("--version").stdout.startswith("geomill ")


def test_the_doctor_says_what_tools_of_packages_run_in(shell):
    told = shell("doctor", GEOMILL_ISOLATION="none").stdout
    (section,) = [part for part in told.split("\n\n") if part.startswith("Isolation of deployed packages")]
    assert "bubblewrap" in section and "slirp4netns" in section and "isolation is switched off" in section
