"""A job that uses too much is ended, says which limit it was, and harms nobody else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.mills import WITHOUT_NAMESPACES, Mill, serving
from support.variants import thorough
from support.waiting import until

from geomill.app.config import Settings
from geomill.app.engine import isolation, usage
from geomill.jobstore import Status

PROCESSES = '''
import mmap, os, resource, signal, subprocess, sys, threading, time
from pathlib import Path
from typing import Annotated
from geomill.processes import File, Progress, process

MB = 10**6


def hold(size):
    """Have so much memory, and use it."""
    content = bytearray(size)
    for place in range(0, size, 4096):
        content[place] = 1
    return content


def fork(run):
    if os.fork() == 0:
        run()
        os._exit(0)


@process(memory="400 MB")
def eat(how: str) -> int:
    """Use more memory than there is, in some way."""
    eaten = []
    if how == "at once":
        eaten.append(bytearray(4000 * MB))
    elif how == "in small pieces":
        while True:
            eaten.append(object())
    elif how == "in pieces":
        while True:
            eaten.append(hold(20 * MB))
            time.sleep(0.02)
    elif how == "by many":
        for _ in range(8):
            fork(lambda: (hold(90 * MB), time.sleep(60)))
    elif how == "by a program":
        subprocess.run([sys.executable, "-c", "x = [bytearray(b'1' * 10**7) for _ in range(10**6)]"], check=True)
    elif how == "in /dev/shm":
        for number in range(100):
            Path(f"/dev/shm/{number}").write_bytes(b"1" * (10 * MB))
    elif how == "in a file of memory":
        file = os.memfd_create("eaten")
        for _ in range(100):
            os.write(file, b"1" * (10 * MB))
    elif how == "shared":
        shared = mmap.mmap(-1, 1000 * MB)
        for place in range(0, len(shared), 4096):
            shared[place] = 1
    time.sleep(60)
    return len(eaten)


@process(memory="400 MB")
def eat_little(how: str) -> int:
    """Use nearly as much memory as there is, shared by many."""
    content = hold(250 * MB)
    for _ in range(8):
        fork(lambda: time.sleep(1.5))
    time.sleep(1)
    return len(content)


@process(cpu_limit=1)
def burn(how: str) -> int:
    """Use more processor time than there is, in some way."""
    if how == "by many":
        for _ in range(4):
            fork(burn_all)
    elif how == "by short-lived ones":
        while True:
            fork(lambda: burn_all(0.05))
            os.wait()
    elif how == "unmoved":
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        burn_all()
    else:
        burn_all()
    time.sleep(60)
    return 1


def burn_all(seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@process(max_files=64)
def open_many() -> int:
    """Open files until that fails."""
    return len([open("/dev/null") for _ in range(1000)])


@process(max_processes=40)
def multiply(how: str) -> int:
    """Be more than may be."""
    if how == "threads":
        for _ in range(1000):
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    for _ in range(1000):
        fork(lambda: time.sleep(60))
    time.sleep(60)
    return 1


@process(max_work="30 MB", max_work_files=500)
def fill(how: str, progress: Progress) -> int:
    """Put too much into the working directory."""
    if how == "one large file":
        with open("large", "wb") as file:
            while True:
                file.write(b"1" * MB)
    elif how == "a file without a name":
        files = [open(f"{number}", "wb", 0) for number in range(10)]
        for file in files:
            os.unlink(file.name)
            file.write(b"1" * (5 * MB))
    elif how == "several files":
        for number in range(10):
            Path(str(number)).write_bytes(b"1" * (5 * MB))
    elif how == "many files":
        for number in range(1000):
            Path(str(number)).touch()
    time.sleep(60)
    return 1


@process
def dig() -> int:
    """Put folders into folders."""
    for _ in range(3000):
        os.mkdir("deep")
        os.chdir("deep")
    time.sleep(60)
    return 1


@process(max_work="30 MB", max_work_files=500)
def fill_a_little() -> int:
    """Put less than too much there, under many names."""
    Path("0").write_bytes(b"1" * (20 * MB))
    for number in range(1, 400):
        os.link("0", str(number))
    time.sleep(1)
    return 1


@process(max_output="1 MB")
def give() -> Annotated[Path, File("Too much", "text/plain")]:
    """Give more than may be given."""
    Path("much.txt").write_bytes(b"1" * (2 * MB))
    return Path("much.txt")


@process
def nap() -> int:
    """Sleep."""
    time.sleep(60)
    return 1


@process(time_limit=1)
def pretend() -> Annotated[Path, File("Nothing, and much of it", "text/plain")]:
    """Give what takes long to read."""
    with open("empty", "wb") as file:
        file.truncate(45 * 10**9)
    return Path("empty")


@process
def pretend_for_long() -> Annotated[Path, File("Nothing, and much of it", "text/plain")]:
    """Give what takes long to read."""
    return pretend()


@process
def bounds() -> dict:
    """The limits of the kernel on this process."""
    kinds = ("CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC")
    return {kind: resource.getrlimit(getattr(resource, f"RLIMIT_{kind}"))[0] for kind in kinds}
'''
MEMORY_CGROUP = Path("/sys/fs/cgroup/memory")
GLUTTON = '''
import subprocess, sys
from geomill.processes import process

@process
def devour(how: str) -> int:
    """Eat, whatever there is."""
    if how == "alone":
        eaten = [bytearray(b"1" * 10**7) for _ in range(10**4)]
    if how == "below":
        subprocess.run([sys.executable, "-c", "[bytearray(b'1' * 10**7) for _ in range(10**4)]"], check=True)
    return 1
'''
OF_MANY = {"eat", "burn", "multiply"}


@pytest.fixture(scope="module", params=["with namespaces", thorough("without")])
def mill(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """A server whose jobs want too much, on a host that allows PID namespaces, and on one that does not."""
    root = tmp_path_factory.mktemp("mill")
    (root / "greedy").mkdir()
    (root / "greedy/greedy.py").write_text(PROCESSES)
    settings = Settings(home=root / "home", runtime_dir=root / "run", processes=(root / "greedy",))
    allowed = isolation.namespaces_allowed()
    if request.param == "with namespaces" and not allowed:
        pytest.skip("this host allows no PID namespaces")
    prefix = WITHOUT_NAMESPACES if request.param == "without" and allowed else ()
    with serving(settings, shared=True, prefix=prefix, max_running="4", max_output="100 GB") as mill:
        yield mill


def told(mill: Mill, process: str, how: str) -> tuple[str | None, str]:
    info = mill.ended(mill.submit(process, **({"how": how} if how else {})), 40)
    assert info.status is Status.FAILED, info
    return info.cause, info.message or ""


@pytest.mark.parametrize(
    "process, how, cause, words",
    [
        ("eat", "at once", "out-of-memory", "MemoryError; its limit is 400000000 bytes"),
        ("eat", "in small pieces", "out-of-memory", "its limit is 400000000 bytes"),
        ("eat", "in pieces", "out-of-memory", "its limit is 400000000 bytes"),
        ("eat", "by many", "out-of-memory", "its limit is 400000000 bytes"),
        ("eat", "in a file of memory", "out-of-memory", "its limit is 400000000 bytes"),
        ("eat", "shared", "out-of-memory", "its limit is 400000000 bytes"),
        ("burn", "", "cpu-limit", "used up its processor time; its limit is 1 s"),
        ("burn", "by many", "cpu-limit", "used up its processor time; its limit is 1 s"),
        ("burn", "by short-lived ones", "cpu-limit", "used up its processor time; its limit is 1 s"),
        ("burn", "unmoved", "cpu-limit", "used up its processor time; its limit is 1 s"),
        ("open-many", "", "file-limit", "its limit is 64 open files"),
        ("multiply", "threads", "process-limit", "its limit is 40"),
        ("multiply", "processes", "process-limit", "its limit is 40"),
        ("fill", "one large file", "work-limit", "its limit is 30000000 bytes"),
        ("fill", "several files", "work-limit", "its limit is 30000000 bytes"),
        ("fill", "a file without a name", "work-limit", "its limit is 30000000 bytes"),
        ("fill", "many files", "work-limit", "its limit is 30000000 bytes and 500 files"),
        thorough("dig", "", "work-limit", "too deep to be looked into"),
        ("give", "", "output-limit", "the outputs have more than 1000000 bytes"),
    ],
)
def test_a_job_that_uses_too_much_fails_and_says_what_it_was(
    mill: Mill, process: str, how: str, cause: str, words: str
) -> None:
    found, message = told(mill, process, how or "x" if process in OF_MANY else how)
    assert (found, words) == (cause, words if words in message else message)


def test_memory_of_a_program_that_a_job_starts_is_the_jobs(mill: Mill) -> None:
    info = mill.ended(mill.submit("eat", how="by a program"), 40)
    assert info.status is Status.FAILED
    assert info.cause in ("out-of-memory", "exception")  # the program's own MemoryError may come first
    assert "MemoryError" in mill.call("GET", f"/jobs/{info.job_id}/logs").data.decode() + str(info.message) or (
        info.cause == "out-of-memory"
    )


@pytest.mark.parametrize("mill", ["with namespaces"], indirect=True)
def test_shared_memory_is_memory_and_nothing_of_it_is_left(mill: Mill) -> None:
    before = set(os.listdir("/dev/shm"))
    cause, message = told(mill, "eat", "in /dev/shm")
    assert (cause, set(os.listdir("/dev/shm"))) == ("out-of-memory", before), message


@pytest.mark.parametrize("process, inputs", [("eat-little", {"how": "shared"}), ("fill-a-little", {})])
def test_what_several_share_counts_once(mill: Mill, process: str, inputs: dict[str, str]) -> None:
    info = mill.ended(mill.submit(process, **inputs), 30)
    assert info.status is Status.SUCCESSFUL, info


def test_a_failure_by_a_limit_is_a_problem_of_its_own(mill: Mill) -> None:
    reply = mill.call("POST", "/processes/open-many/execution", {})
    assert (reply.status, reply.json()["type"]) == (500, f"{mill.url}/problems/file-limit")
    assert "its limit is 64 open files" in reply.json()["detail"]


def test_every_job_has_the_limits_of_the_server(mill: Mill) -> None:
    reply = mill.call("POST", "/processes/bounds/execution", {})
    assert reply.status == 200, reply.data
    found = reply.json()
    assert (found["CORE"], found["NOFILE"], found["FSIZE"]) == (0, 4096, 50 * 1000**3)
    assert found["DATA"] > mill.settings.memory_limit


def test_what_is_looked_at_piece_by_piece_is_all_seen(tmp_path: Path) -> None:
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
        for number in range(100):
            (tmp_path / str(folder) / str(number)).write_bytes(b"1" * 5000)
    scratch, looks = usage.Scratch(tmp_path), 1
    while not scratch.look(0):
        looks += 1
    blocks = sum(path.lstat().st_blocks * 512 for path in tmp_path.rglob("*"))
    assert (scratch.count, scratch.size) == (2020, blocks)
    assert looks > 5


@pytest.mark.parametrize(
    "process, inputs, asked, cause, words",
    [
        ("nap", {}, {"timeLimit": 0.2}, "time-limit", "its time limit of 0.2 s"),
        ("burn", {"how": "x"}, {"cpuLimit": 0.5}, "cpu-limit", "its limit is 0.5 s"),
        ("burn", {"how": "x"}, {"cpuLimit": 5000}, "cpu-limit", "its limit is 1 s"),
        ("eat", {"how": "by many"}, {"memory": 200 * 10**6}, "out-of-memory", "its limit is 200000000 bytes"),
        ("open-many", {}, {"maxFiles": 30}, "file-limit", "its limit is 30 open files"),
        ("open-many", {}, {"maxFiles": 3000}, "file-limit", "its limit is 64 open files"),
        ("give", {}, {"maxOutput": 1000}, "output-limit", "more than 1000 bytes"),
    ],
)
def test_a_request_may_ask_for_less_and_never_gets_more(
    mill: Mill, process: str, inputs: dict[str, str], asked: dict[str, float], cause: str, words: str
) -> None:
    body = {"inputs": inputs, "limits": asked}
    reply = mill.call("POST", f"/processes/{process}/execution", body, Prefer="respond-async")
    assert reply.status == 201, reply.data
    info = mill.ended(reply.json()["jobID"], 40)
    assert (info.cause, words) == (cause, words if words in str(info.message) else info.message)


def test_a_limit_that_cannot_be_is_400_and_no_job(mill: Mill) -> None:
    before = len(list(mill.store.walk()))
    reply = mill.call("POST", "/processes/nap/execution", {"inputs": {}, "limits": {"timeLimit": -1}})
    assert (reply.status, reply.json()["type"]) == (400, f"{mill.url}/problems/invalid-request")
    assert len(list(mill.store.walk())) == before


def test_publishing_takes_no_longer_than_the_job_may(mill: Mill) -> None:
    info = mill.ended(mill.submit("pretend"), 40)
    assert (info.status, info.cause) == (Status.FAILED, "time-limit"), info
    assert info.message == "publishing its results took longer than the job's time limit leaves"
    assert not (mill.store.folder(info.job_id) / "outputs").exists()


def test_a_job_is_dismissed_while_its_results_are_published(mill: Mill) -> None:
    job_id = mill.submit("pretend-for-long")
    outputs = mill.store.folder(job_id) / "outputs"
    until(outputs.exists)
    begin = time.monotonic()
    reply = mill.call("DELETE", f"/jobs/{job_id}")
    assert (reply.status, reply.json()["status"]) == (200, "dismissed")
    assert time.monotonic() - begin < 5 and not outputs.exists()


@pytest.mark.skipif(not MEMORY_CGROUP.is_dir() or not os.access(MEMORY_CGROUP, os.W_OK), reason="no cgroup to be had")
def test_when_the_kernel_runs_out_of_memory_the_job_goes_and_the_server_stays(tmp_path: Path) -> None:
    group = MEMORY_CGROUP / f"geomill-test-{os.getpid()}"
    (tmp_path / "greedy").mkdir()
    (tmp_path / "greedy/glutton.py").write_text(GLUTTON)
    settings = Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run", processes=(tmp_path / "greedy",))
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(800 * 10**6))
        join = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$0" "$@"')
        with serving(settings, prefix=join, memory_limit="100 GB", memory="100 GB") as mill:
            until(lambda: len(mill.workers()) == settings.workers)
            processes = (mill.pid, mill.dispatcher(), mill.workers())
            for how in ("alone", "below"):
                info = mill.ended(mill.submit("devour", how=how), 60)
                assert (info.status, info.cause) == (Status.FAILED, "out-of-memory"), info
                assert (info.message or "").endswith("the kernel had no memory left, and ended processes")
            assert mill.ended(mill.submit("devour", how="nothing")).status is Status.SUCCESSFUL
            assert (mill.pid, mill.dispatcher(), mill.workers()) == processes
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()
