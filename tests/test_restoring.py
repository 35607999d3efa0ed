"""A backup that is restored on the host of a server at work does that server no harm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.mills import COMMAND, Mill, environ, serving
from support.variants import thorough
from support.waiting import until

from geomill.app.config import Settings, SettingsError
from geomill.app.engine.client import Engine, open_store
from geomill.jobstore import Filters, Status, alive

HOLD = '''
import time
from geomill.processes import Progress, process

@process
def hold(progress: Progress) -> int:
    """Say so, and wait for longer than any test."""
    progress(10, "holding")
    time.sleep(600)
    return 0
'''


@pytest.fixture
def mill(tmp_path: Path) -> Iterator[Mill]:
    """A server at work."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hold.py").write_text(HOLD)
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(tmp_path / "mine",))
    with serving(settings) as mill:
        yield mill


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    given = environ({"home": str(settings.home), "runtime_dir": str(settings.runtime_dir)})
    return subprocess.run(
        [*COMMAND, *arguments], env=given, cwd=settings.home.parent, capture_output=True, text=True, timeout=60
    )


def restored(mill: Mill) -> Settings:
    """A backup of its home, in a folder beside it; with the runtime directory of the server."""
    target, home = mill.settings.home.parent / "b.tar", mill.settings.home.parent / "restored"
    assert command(mill.settings, "backup", str(target)).returncode == 0
    home.mkdir()
    subprocess.run(["tar", "-xpf", target, "-C", home], check=True)
    return replace(mill.settings, home=home)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fsck", "--repair"),
        ("serve", "--port", "0"),
        *(
            thorough(each)
            for each in [("fsck",), ("serve", "--check"), ("jobs", "ls"), ("drain",)]
        ),
    ],
    ids=" ".join,
)
def test_a_runtime_directory_that_serves_a_home_is_refused_for_another(mill: Mill, arguments: tuple[str, ...]) -> None:
    other, later = restored(mill), mill.submit("echo", echoInput="x")
    assert mill.ended(later).status is Status.SUCCESSFUL
    before = mill.dispatcher()
    done = command(other, *arguments)
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: runtime_dir: {other.runtime_dir} belongs to {mill.settings.home}, which is being served: "
        f"set GEOMILL_RUNTIME_DIR, for {other.home}, to a folder of its own\n"
    )
    assert mill.dispatcher() == before
    assert [job["jobID"] for job in mill.call("GET", "/jobs").json()["jobs"]] == [later]
    assert mill.ended(mill.submit("echo", echoInput="y")).status is Status.SUCCESSFUL


def test_a_new_home_is_none_of_a_runtime_directory_in_use(mill: Mill, tmp_path: Path) -> None:
    done = command(replace(mill.settings, home=tmp_path / "new"), "serve", "--check")
    assert (done.returncode, "which is being served" in done.stderr) == (1, True)
    assert not (tmp_path / "new").exists()


def test_a_runtime_directory_that_nobody_uses_goes_with_another_home_and_lists_its_jobs(tmp_path: Path) -> None:
    one = Settings(home=tmp_path / "one", runtime_dir=tmp_path / "run")
    other = replace(one, home=tmp_path / "other")
    with serving(one) as mill:
        mill.ended(mill.submit("echo", echoInput="x"))
    assert len(open_store(one).list(Filters(), 9).jobs) == 1
    assert open_store(other).list(Filters(), 9).jobs == []
    assert len(open_store(one).list(Filters(), 9).jobs) == 1


def test_a_server_does_not_work_on_in_a_runtime_directory_that_went_with_another_home(tmp_path: Path) -> None:
    one = Settings(home=tmp_path / "one", runtime_dir=tmp_path / "run")
    engine = Engine(one, open_store(one))
    open_store(replace(one, home=tmp_path / "other"))
    with pytest.raises(SettingsError, match=f"belongs to {tmp_path / 'other'}"):
        engine.serve()


def test_a_copy_with_all_marks_of_the_original_goes_its_own_way(mill: Mill, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", mill.settings.home, tmp_path / "copy"], check=True)
    copy = replace(mill.settings, home=tmp_path / "copy", runtime_dir=tmp_path / "another")
    assert command(copy, "fsck").returncode == 0
    assert mill.ended(mill.submit("echo", echoInput="y")).status is Status.SUCCESSFUL


def test_a_job_that_ran_is_lost_in_a_copy_and_runs_on_in_the_original(mill: Mill, tmp_path: Path) -> None:
    job_id = mill.submit("hold")
    mill.message(job_id, "holding")
    supervisor = mill.store.read_status(job_id)
    copy = replace(restored(mill), runtime_dir=tmp_path / "another")
    assert "nobody holds its lock" in command(copy, "fsck").stdout
    with serving(copy) as second:
        until(lambda: second.store.read_status(job_id).status is Status.FAILED)
        assert second.store.read_status(job_id).cause == "lost"
        assert second.status(job_id)["status"] == "failed"
        assert second.call("DELETE", f"/jobs/{job_id}").status == 200
        assert second.call("GET", f"/jobs/{job_id}").status == 404
    assert alive.is_alive(supervisor.pid, supervisor.start_time)
    assert mill.status(job_id)["status"] == "running"
    mill.call("DELETE", f"/jobs/{job_id}")


def test_dismissing_a_job_in_a_copy_that_nobody_serves_signals_nobody(mill: Mill, tmp_path: Path) -> None:
    job_id = mill.submit("hold")
    mill.message(job_id, "holding")
    supervisor = mill.store.read_status(job_id)
    copy = replace(restored(mill), runtime_dir=tmp_path / "another")
    store = open_store(copy)
    Engine(copy, store).dismiss(job_id)
    assert store.status(job_id).status is Status.DISMISSED
    assert alive.is_alive(supervisor.pid, supervisor.start_time)
    assert mill.status(job_id)["status"] == "running"
    mill.call("DELETE", f"/jobs/{job_id}")
