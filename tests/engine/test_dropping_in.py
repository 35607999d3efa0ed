"""Process files come, change and go while the server runs, and every worker knows."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from support.mills import COMMAND, Mill, environ, serving
from support.waiting import holds, until

from geomill.app.config import Settings
from geomill.jobstore import Status

WAIT = '''
import time
from pathlib import Path
from geomill.processes import Progress, process

@process
def waiting(flag: str, progress: Progress) -> int:
    """Wait for a file, and give a number."""
    progress(1, "waiting")
    while not Path(flag).exists():
        time.sleep(0.01)
    return NUMBER
'''
BROKEN = {
    "syntax": ("def (", "SyntaxError: "),
    "exit": ("import os\nos._exit(1)", "ended with exit code 1 while being loaded"),
    "endless": ("while True:\n    pass", "was still loading after 1 s"),
    "library": ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library' (line 1)"),
}


@pytest.fixture
def own(settings: Settings, tmp_path: Path) -> Settings:
    """Settings with an empty folder for process files."""
    folder = tmp_path / "mine"
    folder.mkdir()
    return Settings(home=settings.home, runtime_dir=settings.runtime_dir, processes=(folder,))


def statuses(mill: Mill, number: int = 100) -> Counter[int]:
    """What as many GETs on fresh connections answer."""
    return Counter(mill.call("GET", "/processes/waiting").status for _ in range(number))


def test_every_worker_knows_at_once_what_came_and_went(own: Settings) -> None:
    (folder,) = own.processes
    with serving(own, "--workers", "4") as mill:
        for _ in range(2):
            assert statuses(mill) == {404: 100}
            (folder / "wait.py").write_text(WAIT.replace("NUMBER", "1"))
            assert statuses(mill) == {200: 100}
            (folder / "wait.py").unlink()


def test_an_edit_is_for_the_jobs_to_come(own: Settings, tmp_path: Path) -> None:
    (folder,) = own.processes
    file, flag = folder / "wait.py", tmp_path / "flag"
    with serving(own) as mill:
        file.write_text(WAIT.replace("NUMBER", "1"))
        first = mill.submit("waiting", flag=str(flag))
        mill.message(first, "waiting")
        file.write_text(WAIT.replace("NUMBER", "2"))
        second = mill.submit("waiting", flag=str(flag))
        file.unlink()
        flag.touch()
        assert [mill.ended(job_id).status for job_id in (first, second)] == [Status.SUCCESSFUL] * 2
        assert [mill.store.results(job_id)["result"].value for job_id in (first, second)] == [1, 2]


def test_a_broken_file_harms_nobody_and_is_told_of(own: Settings) -> None:
    (folder,) = own.processes
    for name, (content, _) in BROKEN.items():
        (folder / f"{name}.py").write_text(content)
    (folder / "wait.py").write_text(WAIT.replace("NUMBER", "1"))
    with serving(own, describe_limit="1") as mill:
        until(lambda: mill.call("GET", "/processes/waiting").status == 200)
        listed = {each["id"] for each in mill.call("GET", "/processes").json()["processes"]}
        assert {"echo", "waiting"} <= listed  # those with large libraries may take longer here
        given = {"home": own.home, "runtime_dir": own.runtime_dir, "processes": folder, "describe_limit": 1}
        command = [*COMMAND, "processes", "ls"]
        shown = environ({name: str(value) for name, value in given.items()})
        done = subprocess.run(command, env=shown, capture_output=True, text=True, timeout=60)
    told = dict(line.split(" is no process: ", 1) for line in done.stderr.splitlines())
    assert {str(folder / f"{name}.py") for name in BROKEN} <= set(told)
    for name, (_, reason) in BROKEN.items():
        assert told[str(folder / f"{name}.py")].startswith(reason)


def test_the_log_tells_of_a_broken_file(own: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    (folder,) = own.processes
    (folder / "syntax.py").write_text("def (")
    with serving(own) as mill:
        mill.call("GET", "/processes")
        assert holds(lambda: f"{folder}/syntax.py is no process: SyntaxError" in capfd.readouterr().err)


def test_a_folder_may_be_named_before_it_is_made(own: Settings) -> None:
    (folder,) = own.processes
    os.rmdir(folder)
    with serving(own) as mill:
        assert mill.call("GET", "/processes/waiting").status == 404
        folder.mkdir()
        (folder / "wait.py").write_text(WAIT.replace("NUMBER", "1"))
        assert mill.call("GET", "/processes/waiting").status == 200
