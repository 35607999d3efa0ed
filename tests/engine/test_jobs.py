"""What a job sees of the world, what it may use, and how its end is told."""

from __future__ import annotations

import ctypes
import os
import platform
import pwd
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from support.at_work import at_work
from support.mills import Mill, serving
from support.others import open_to_others
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import isolation
from geomill.jobstore import Status

ROOT = os.geteuid() == 0


def failed(mill: Mill, process: str, **inputs: Any) -> tuple[str | None, str | None]:
    info = mill.ended(mill.submit(process, **inputs))
    assert info.status is Status.FAILED
    return info.cause, info.message


def looked(mill: Mill) -> dict[str, Any]:
    reply = mill.call("POST", "/processes/look/execution", {})
    assert reply.status == 200, reply.data
    return dict(reply.json())


@pytest.mark.parametrize(
    "process, inputs, cause, message",
    [
        ("endless", {}, "time-limit", "still running after its time limit of 0.3 s"),
        ("fall", {"number": int(signal.SIGSEGV)}, "signal", "ended by signal 11 (Segmentation fault)"),
        ("fall", {"number": int(signal.SIGKILL)}, "signal", "ended by signal 9 (Killed)"),
        ("leave-with", {"code": 3}, "exit", "ended with exit code 3"),
        ("leave-with", {"code": 0}, "exit", "ended before it gave its results"),
        ("nest", {}, "result", "what it gave cannot be passed on: it is nested deeper than 64 levels"),
    ],
)
def test_a_failure_says_why(mill: Mill, process: str, inputs: dict[str, int], cause: str, message: str) -> None:
    assert failed(mill, process, **inputs) == (cause, message)


def test_a_failure_of_the_time_limit_is_a_504(mill: Mill) -> None:
    reply = mill.call("POST", "/processes/endless/execution", {})
    assert (reply.status, reply.json()["type"]) == (504, f"{mill.url}/problems/time-limit")


def test_a_job_gets_its_folder_its_log_and_a_pipe(mill: Mill) -> None:
    seen = looked(mill)
    job = Path(seen["directory"]).parent
    assert seen["directory"] == f"{job}/work" and str(job).startswith(str(mill.settings.home))
    own = {name: target for name, target in seen["descriptors"].items() if target}
    assert own.pop("0") == "/dev/null"
    assert (own.pop("1"), own.pop("2")) == (f"{job}/log", f"{job}/log")
    (pipe,) = [name for name, target in own.items() if target.startswith("pipe:")]
    del own[pipe]
    assert not [target for target in own.values() if not target.startswith("/proc/")]


def test_a_jobs_environment_holds_nothing_of_the_server(settings: Settings) -> None:
    os.environ["SECRET_OF_A_SESSION"] = "x"
    try:
        with serving(settings, title="A secret") as mill:
            seen = looked(mill)["environment"]
    finally:
        del os.environ["SECRET_OF_A_SESSION"]
    assert {"HOME", "TMPDIR", "PATH"} <= set(seen)
    assert not {name for name in seen if name.startswith("GEOMILL") or "SECRET" in name}
    assert seen["HOME"] == seen["TMPDIR"] and seen["HOME"].endswith("/work")


def test_the_kernel_ends_a_job_before_the_server_when_memory_runs_out(mill: Mill) -> None:
    seen = looked(mill)
    assert seen["oom"] > int(Path(f"/proc/{mill.pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("how, log", [("replaced", "one"), ("detached", "one two"), ("closed", "onethree")])
def test_what_a_job_printed_is_in_its_log_whatever_it_does_to_its_streams(mill: Mill, how: str, log: str) -> None:
    job_id = mill.submit("speak", how=how)
    assert mill.ended(job_id).status is Status.SUCCESSFUL
    assert (mill.store.folder(job_id) / "log").read_text() == log


def test_no_signal_is_blocked_in_a_job(mill: Mill) -> None:
    assert looked(mill)["blocked"] == []


def test_a_job_dies_with_its_supervisor(mill: Mill) -> None:
    job_id = mill.submit("hold")
    mill.message(job_id, "holding")
    pid = mill.store.read_status(job_id).pid
    assert pid and len(at_work(job_id)) > 1
    os.kill(pid, signal.SIGKILL)
    until(lambda: not at_work(job_id), 10)


def test_a_job_that_never_stops_talking_is_heard_and_ended(mill: Mill) -> None:
    job_id = mill.submit("babble")
    mill.message(job_id, "more")
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200
    assert mill.status(job_id)["status"] == "dismissed"


@pytest.mark.parametrize(
    "words, status",
    [
        ('{"progress": "all"}', "successful"),
        ('{"progress": 1e300}', "successful"),
        ('{"progress": 5000, "message": ["x"]}', "successful"),
        ('{"failure": "none"}', "successful"),
        ('{"failure": {"cause": "rebooted", "message": {}}}', "failed"),
        ('["results"]', "successful"),
        ('{"results": {"result": {"value": NaN, "media_type": "application/json"}}}', "successful"),
        ('{"results": {"result": {"value": "\\ud800", "media_type": "text/plain"}}}', "successful"),
        ("[" * 100_000, "successful"),
        ("\x00\x01", "successful"),
        ("{" * 100_000, "successful"),
        ('{"results": {"result": {"file": "/etc/hostname", "media_type": "text/plain"}}}', "successful"),
    ],
)
def test_what_a_job_says_cannot_harm_its_status(mill: Mill, words: str, status: str) -> None:
    info = mill.ended(mill.submit("lie", words=words))
    assert (info.status.value, info.progress) == (status, 100 if status == "successful" else None)
    assert info.cause in (None, "exception")


def test_what_a_job_says_at_length_is_cut(mill: Mill) -> None:
    job_id = mill.submit("boast", size=1_000_000)
    until(lambda: mill.status(job_id).get("progress") == 5)
    assert mill.status(job_id)["message"] == "x" * 2000
    assert mill.call("DELETE", f"/jobs/{job_id}").status == 200


@pytest.mark.parametrize(
    "names, shown",
    [
        (["a.txt"], ["a.txt"]),
        (["a.txt", "a.txt"], ["a.txt", "result-a.txt"]),
        (["a\nb\r.txt"], ["a_b_.txt"]),
        ([r"\xff.txt"], ["\ufffd.txt"]),
        (["x" * 255, "x" * 255], ["x" * 120, "result-" + "x" * 120]),
        ([".txt"], [".txt"]),
    ],
)
def test_a_file_of_any_name_can_be_fetched(mill: Mill, names: list[str], shown: list[str]) -> None:
    job_id = mill.submit("give", names=names)
    assert mill.ended(job_id).status is Status.SUCCESSFUL
    items = mill.store.results(job_id)["result"].items or ()
    assert [item.file for item in items] == shown
    replies = [mill.call("GET", f"/jobs/{job_id}/results/result/{number}") for number in range(len(names))]
    assert [(reply.status, reply.data) for reply in replies] == [(200, b"hello")] * len(names)


def test_a_file_that_can_not_be_is_said_to_be_missing(mill: Mill) -> None:
    cause, message = failed(mill, "give", names=[r"a\0b"])
    assert cause == "result" and message and "there is no file" in message


def test_what_is_no_unicode_is_said_by_its_escape(mill: Mill) -> None:
    assert failed(mill, "moan", text=r"\udcff") == ("exception", r"ValueError: \udcff")


def test_a_process_at_its_own_limit_holds_up_no_other(mill: Mill) -> None:
    first, second = mill.submit("one-at-a-time"), mill.submit("one-at-a-time")
    mill.message(first, "holding")
    assert mill.ended(mill.submit("nap")).status is Status.SUCCESSFUL
    mill.waits(second, 1)
    assert mill.call("DELETE", f"/jobs/{first}").status == 200
    mill.message(second, "holding")
    assert mill.call("DELETE", f"/jobs/{second}").status == 200


def test_jobs_that_start_together_draw_different_random_numbers(mill: Mill) -> None:
    jobs = [mill.submit("draw") for _ in range(6)]
    drawn = [mill.store.results(job_id)["result"].value for job_id in jobs if mill.ended(job_id)]
    assert len({first for first, _ in drawn}) == len({second for _, second in drawn}) == len(jobs)


def test_a_job_that_has_ended_keeps_little(mill: Mill) -> None:
    reply = mill.call("POST", "/processes/echo/execution", {"inputs": {"echoInput": "hello"}}, Prefer="respond-async")
    job_id = reply.json()["jobID"]
    mill.ended(job_id)
    folder = mill.store.folder(job_id)
    until(lambda: not (folder / "work").exists())
    kept = [folder, *folder.rglob("*")]
    assert len(kept) <= 5
    assert sum(path.stat().st_blocks * 512 for path in kept) <= 28 * 1024


def test_nothing_is_kept_for_a_retry_of_a_job_without_steps(mill: Mill) -> None:
    job_id = mill.submit("pretend")
    assert mill.ended(job_id).status is Status.FAILED
    until(lambda: not (mill.store.folder(job_id) / "work").exists())
    assert not (mill.store.folder(job_id) / "kept").exists()


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_as_root_jobs_run_as_the_job_user_and_can_write_in_work_alone(settings: Settings, folder: Path) -> None:
    open_to_others(settings.home.parent)
    open_to_others(folder)
    with serving(settings, job_user="nobody") as mill:
        seen = looked(mill)
    nobody = pwd.getpwnam("nobody")
    assert (seen["user"], seen["groups"], seen["written"]) == (nobody.pw_uid, [], False)
    assert not seen["may_gain"], "a set-user-ID program would make it somebody else"


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_what_a_job_user_made_belongs_to_the_server_when_it_is_published(settings: Settings) -> None:
    open_to_others(settings.home.parent)
    folder = settings.home.parent / "files"
    folder.mkdir()
    (folder / "write.py").write_text(WRITE)
    with serving(settings, job_user="nobody", processes=str(folder)) as mill:
        job_id = mill.submit("write")
        assert mill.ended(job_id).status is Status.SUCCESSFUL, mill.call("GET", f"/jobs/{job_id}/logs").data
        (published,) = (mill.store.folder(job_id) / "outputs").iterdir()
        assert (published.stat().st_uid, published.stat().st_mode & 0o777) == (0, 0o600)
        assert mill.call("GET", f"/jobs/{job_id}/results/result").data == b"hello"


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
@pytest.mark.skipif(shutil.which("python3", path="/usr/bin") is None, reason="there is no /usr/bin/python3")
def test_a_job_user_runs_an_interpreter_of_his_own(settings: Settings) -> None:
    open_to_others(settings.home.parent)
    folder = settings.home.parent / "files"
    folder.mkdir()
    (folder / "write.py").write_text("# geomill: python = /usr/bin/python3\n" + WRITE)
    with serving(settings, job_user="nobody", processes=str(folder)) as mill:
        job_id = mill.submit("write")
        assert mill.ended(job_id).status is Status.SUCCESSFUL, mill.call("GET", f"/jobs/{job_id}/logs").data


@pytest.mark.skipif(not ROOT, reason="others have limits of their own")
@pytest.mark.skipif(not isolation.namespaces_have_limits(), reason="this kernel has one pid_max for all namespaces")
@pytest.mark.thorough
def test_a_fork_bomb_of_root_goes_out(settings: Settings) -> None:
    folder = settings.home.parent / "files"
    folder.mkdir()
    (folder / "bomb.py").write_text(BOMB)
    whole_host = Path("/proc/sys/kernel/pid_max").read_text()
    with serving(settings, max_processes="450", processes=str(folder)) as mill:
        reply = mill.call("POST", "/processes/bomb/execution", {"inputs": {"forks": 1000}})
    assert reply.status == 200 and 300 < reply.json() < 450, reply.data
    assert Path("/proc/sys/kernel/pid_max").read_text() == whole_host


def test_a_job_cannot_use_the_keys_of_who_started_the_server(settings: Settings) -> None:
    libc = ctypes.CDLL(None)
    isolation.leave_keyring()  # the tests' own session may have gone
    name = f"geomill-{uuid.uuid4()}".encode()
    if libc.syscall(ADD_KEY, b"user", name, b"secret", 6, SESSION) < 0:
        pytest.skip("this host keeps no keys")
    folder = settings.home.parent / "files"
    folder.mkdir()
    (folder / "search.py").write_text(SEARCH)
    with serving(settings, processes=str(folder)) as mill:
        inputs = {"number": KEYCTL, "session": SESSION, "name": name.decode()}
        reply = mill.call("POST", "/processes/search/execution", {"inputs": inputs})
    assert libc.syscall(KEYCTL, 10, SESSION, b"user", name, 0) > 0
    assert reply.status == 200 and reply.json() == -1, reply.data


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk for all to see")
def test_a_disk_that_is_unmounted_is_in_use_by_no_process_that_waits(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "shared", sys.executable, "-c", UNMOUNT, str(disk)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "False"], done.stderr


UNMOUNT = """
import os, subprocess, sys
from geomill.app.engine import isolation

disk = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
ready, go = os.pipe(), os.pipe()
if os.fork() == 0:
    isolation.mount_own()
    os.write(ready[1], b"!")
    os.read(go[0], 1)
    print(os.path.ismount(disk), flush=True)
    os._exit(0)
os.read(ready[0], 1)
print(os.path.ismount(disk), flush=True)
subprocess.run(["umount", disk], check=True)
os.write(go[1], b"!")
os.wait()
"""
SESSION = -3  # "the keyring of my session"
ADD_KEY, KEYCTL = (248, 250) if platform.machine() == "x86_64" else (217, 219)
SEARCH = '''
import ctypes
from geomill.processes import process

@process
def search(number: int, session: int, name: str) -> int:
    """Search a key: its number, or -1."""
    return ctypes.CDLL(None).syscall(number, 10, session, b"user", name.encode(), 0)
'''

BOMB = '''
import os, signal
from geomill.processes import process

@process
def bomb(forks: int) -> int:
    """Fork until that fails."""
    for number in range(forks):
        try:
            if os.fork() == 0:
                signal.pause()
        except BlockingIOError:
            return number
    return forks
'''

WRITE = '''
from pathlib import Path
from typing import Annotated
from geomill.processes import File, process

@process
def write() -> Annotated[Path, File("A text", "text/plain")]:
    """Write a file."""
    Path("text.txt").write_text("hello")
    return Path("text.txt")
'''
