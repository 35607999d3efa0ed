"""Settings: where they come from, what they accept, and how they say no."""

import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import pytest

from geomill.app.config import Settings, SettingsError, known
from geomill.app.setting_kinds import BYTES, KEPT, SECONDS, SHARE


@pytest.fixture(autouse=True)
def empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def load(environ=None, **overrides):
    return Settings.load({"HOME": "/home/ann", **(environ or {})}, overrides)


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("port", "0", 0),
        ("port", " 9000 ", 9000),
        ("max_body", "512 MB", 512_000_000),
        ("max_body", "2GiB", 2 * 1024**3),
        ("max_body", "1.5 kB", 1500),
        ("max_body", "10", 10),
        ("grace", "500 ms", 0.5),
        ("time_limit", "30 s", 30.0),
        ("time_limit", "5 min", 300.0),
        ("time_limit", "2h", 7200.0),
        ("time_limit", "1 d", 86400.0),
        ("trust_proxy", "Yes", True),
        ("trust_proxy", "0", False),
        ("public_url", "https://example.org/ogc/", "https://example.org/ogc"),
        ("processes", "/a:/b/../c", (Path("/a"), Path("/c"))),
        ("allow", "*.example.org, localhost:9000,file:///data/", ("*.example.org", "localhost:9000", "file:///data/")),
        ("runtime_dir", "/run/mill", Path("/run/mill")),
        ("title", "", "Geomill"),
    ],
)
def test_a_variable_is_read_with_its_unit(name, text, value):
    assert getattr(load({f"GEOMILL_{name.upper()}": text}), name) == value


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("port", "http", "a whole number from 0 to 65535"),
        ("port", "65536", "a whole number from 0 to 65535"),
        ("workers", "1.5", "a whole number of at least 1"),
        ("threads", "1", "a whole number of at least 2"),
        ("workers", "-1", "a whole number of at least 1"),
        ("max_body", "ten MB", "bytes"),
        ("max_body", "10 apples", "bytes"),
        ("time_limit", "2 GB", "seconds"),
        ("time_limit", "nan", "seconds"),
        ("time_limit", "0 s", "seconds above 0"),
        ("trust_proxy", "maybe", "true or false"),
        ("public_url", "example.org", "an http or https address"),
        ("allow", "https://example.org/", "hosts"),
    ],
)
def test_a_malformed_value_stops_the_start_with_its_name_and_what_was_expected(name, text, expected):
    variable = f"GEOMILL_{name.upper()}"
    with pytest.raises(SettingsError) as refused:
        load({variable: text})
    assert str(refused.value).startswith(f"{variable}: expected {expected}")
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    "variable, nearest",
    [("GEOMILL_PROT", "GEOMILL_PORT"), ("GEOMILL_port", "GEOMILL_PORT"), ("GEOMILL_MAXRUNNING", "GEOMILL_MAX_RUNNING")],
)
def test_an_unknown_variable_names_the_nearest(variable, nearest):
    with pytest.raises(SettingsError, match=f"^{variable}: .* the nearest is {nearest}$"):
        load({variable: "1"})


def test_variables_of_the_client_are_no_settings():
    assert load({"GEOMILL_SERVER": "https://example.org", "SOMEBODY_ELSE": "1"}).port == 8080


@pytest.mark.parametrize(
    "text, name, value",
    [
        ("port = 9000", "port", 9000),
        ('time_limit = "2 h"', "time_limit", 7200.0),
        ("grace = 0.5", "grace", 0.5),
        ("trust_proxy = true", "trust_proxy", True),
        ('allow = ["example.org"]', "allow", ("example.org",)),
    ],
)
def test_the_file_in_the_current_directory_is_read(text, name, value):
    Path("geomill.toml").write_text(text)
    settings = load()
    assert getattr(settings, name) == value
    assert settings.origins()[name] == "geomill.toml"


def test_folders_in_the_file_start_where_the_file_lies(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "mill.toml").write_text('home = "here"\nprocesses = ["mine", "/yours"]')
    settings = load({"GEOMILL_CONFIG": "etc/mill.toml"})
    assert settings.home == tmp_path / "etc" / "here"
    assert settings.processes == (tmp_path / "etc" / "mine", Path("/yours"))


@pytest.mark.parametrize(
    "text, message",
    [
        ("prot = 1", "geomill.toml: prot: expected the name of a setting, the nearest is port"),
        ('port = "x"', "geomill.toml: port: expected a whole number from 0 to 65535, found 'x'"),
        ("port = true", "geomill.toml: port: expected a whole number from 0 to 65535, found True"),
        ("title = 5", "geomill.toml: title: expected text, found 5"),
        ("allow = 5", "geomill.toml: allow: expected hosts"),
        ("[server]", "geomill.toml: server: expected the name of a setting"),
        ("port =", "geomill.toml: cannot be read: Invalid value"),
    ],
)
def test_a_mistake_in_the_file_stops_the_start(text, message):
    Path("geomill.toml").write_text(text)
    with pytest.raises(SettingsError) as refused:
        load()
    assert message in str(refused.value)


def test_a_file_that_was_asked_for_must_exist():
    with pytest.raises(SettingsError, match="^/nowhere.toml: cannot be read: No such file"):
        load({"GEOMILL_CONFIG": "/nowhere.toml"})


def test_an_option_wins_over_a_variable_over_the_file():
    Path("geomill.toml").write_text("port = 1\nthreads = 2\nworkers = 3")
    settings = load({"GEOMILL_PORT": "10", "GEOMILL_THREADS": "20"}, port=100, host=None, processes=())
    assert (settings.port, settings.threads, settings.workers) == (100, 20, 3)
    origins = settings.origins()
    assert [origins[name] for name in ("port", "threads", "workers", "host", "processes")] == [
        "--port",
        "GEOMILL_THREADS",
        "geomill.toml",
        "default",
        "default",
    ]


def test_settings_survive_the_way_to_a_child_process():
    settings = load({"GEOMILL_ALLOW": "example.org"}, processes=("a", "b"), job_user="nobody")
    copy = Settings.from_json(settings.to_json())
    assert copy == settings
    assert copy.origins() == settings.origins()


def test_the_digest_changes_with_what_matters_to_jobs_alone():
    plain = load()
    assert load(port=1, title="x", workers=5).digest() == plain.digest()
    assert load(max_running=77).digest() != plain.digest()
    assert load({"GEOMILL_GRACE": "2"}).digest() == plain.digest()


def test_every_setting_is_documented():
    for each in known():
        assert each.metadata["help"].endswith("."), each.name
        assert "unit" in each.metadata and each.metadata["kind"].expected


@pytest.mark.parametrize(
    "environ, home",
    [
        ({}, "/home/ann/.local/share/geomill"),
        ({"XDG_DATA_HOME": "/data"}, "/data/geomill"),
        ({"XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/geomill"),
    ],
)
def test_the_home_follows_the_desktop_standard(environ, home):
    assert load(environ).home == Path(home)


def test_each_home_has_its_own_runtime_directory(tmp_path):
    first, second = load(home="a"), load(home="b")
    assert first.runtime_dir != second.runtime_dir
    assert load({"XDG_RUNTIME_DIR": str(tmp_path)}, home="a").runtime_dir == first.runtime_dir  # of any session


def test_a_home_reached_through_a_link_has_the_same_runtime_directory(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert load(home="link") == load(home="a")


def test_the_runtime_directory_leaves_room_for_a_socket(tmp_path):
    session = tmp_path / ("x" * 100)
    with pytest.raises(SettingsError, match="^--runtime-dir: expected a path of at most 80 bytes"):
        load(runtime_dir=str(session))


def test_the_runtime_directory_is_ours_alone(tmp_path):
    made = load(runtime_dir=str(tmp_path / "run" / "mill")).prepare_runtime_dir()
    assert made.stat().st_mode & 0o777 == 0o700
    assert load(runtime_dir=str(made)).prepare_runtime_dir() == made


@pytest.mark.parametrize("kind", ["link", "file", "open"])
def test_a_runtime_directory_that_others_could_have_made_is_refused(tmp_path, kind):
    path = tmp_path / "run"
    if kind == "link":
        path.symlink_to(tmp_path)
    elif kind == "file":
        path.touch()
    else:
        path.mkdir()
        path.chmod(0o770)
    with pytest.raises(SettingsError, match=f"^runtime_dir: {path} is "):
        load(runtime_dir=str(path)).prepare_runtime_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_runtime_directory_of_somebody_else_is_refused(tmp_path):
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    os.chown(path, 65534, 65534)
    with pytest.raises(SettingsError, match="belongs to user 65534"):
        load(runtime_dir=str(path)).prepare_runtime_dir()


def test_importing_the_settings_imports_no_web_framework():
    code = "import sys, geomill.app.config; print(sorted({'flask', 'click', 'tomllib', 'werkzeug'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a job_user")
@pytest.mark.parametrize(
    "user, mode, message",
    [
        ("nobody", 0o711, None),
        ("nobody", 0o700, "^job_user: nobody cannot enter .*/closed, so his jobs could not run$"),
        ("root", 0o700, None),
        ("nobody-at-all", 0o711, "^job_user: there is no user 'nobody-at-all' on this host$"),
    ],
)
def test_a_job_user_exists_and_can_enter_the_home(user, mode, message):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o711)
        closed = Path(name, "closed")
        closed.mkdir()
        closed.chmod(mode)
        settings = Settings(home=closed / "home", runtime_dir=closed / "run", job_user=user)
        with pytest.raises(SettingsError, match=message) if message else nullcontext():
            settings.check_job_user()


def test_all_mistakes_are_named_at_once(tmp_path):
    (tmp_path / "geomill.toml").write_text('max_runing = 2\nkeep = "two weeks"\nport = 8081\n')
    with pytest.raises(SettingsError) as found:
        Settings.load({"GEOMILL_GRACE": "soon", "HOME": str(tmp_path)}, {"workers": "many"})
    assert [text.partition(": expected")[0] for text in str(found.value).split("; ")] == [
        "geomill.toml: max_runing", "geomill.toml: keep", "GEOMILL_GRACE", "--workers",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kind, value, shown",
    [
        (BYTES, 10_000_000, "10 MB"),
        (BYTES, 256 * 1024**2, "256 MiB"),
        (BYTES, 20_221_208_166, "20.2 GB"),
        (BYTES, 0, "0 B"),
        (SECONDS, 43200.0, "12 h"),
        (SECONDS, 0.25, "250 ms"),
        (SECONDS, 90.0, "90 s"),
        (KEPT, 2592000.0, "30 d"),
        (KEPT, 0.0, "never"),
        (SHARE, 0.8, "80 %"),
    ],
)
def test_a_value_is_shown_as_it_may_be_written(kind, value, shown):
    assert kind.shown(value) == shown
    assert kind.parse(shown, Path("/")) == pytest.approx(value, rel=0.005)


@pytest.mark.parametrize(
    "group, mode, message",
    [
        (None, 0o700, None),
        ("daemon", 0o711, None),
        ("daemon", 0o700, "^outputs_group: daemon cannot enter .*/home; chmod 711 it$"),
        ("none-such", 0o711, "^outputs_group: there is no group 'none-such' on this host$"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is a member of any group")
def test_a_group_for_results_exists_and_can_enter_the_home(tmp_path, group, mode, message):
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", outputs_group=group)
    settings.check_outputs_group() if message is None else None  # the home is not there yet
    settings.home.mkdir()
    settings.home.chmod(mode)
    with pytest.raises(SettingsError, match=message) if message else nullcontext():
        settings.check_outputs_group()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_who_is_no_member_of_a_group_gives_it_nothing():
    code = (
        "from pathlib import Path; from geomill.app.config import Settings, SettingsError; import grp, os\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: Settings(home=Path('/none'), runtime_dir=Path('/none'), outputs_group='daemon').check_outputs_group()\n"
        "except SettingsError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "outputs_group: this user is no member of daemon, so gives it nothing\n"
