"""Dismissals of jobs that do everything to stay: nothing of any of them may be left when a DELETE answers 200."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from support import leaks
from support.at_work import at_work
from support.waiting import until

from chaos.load import Book, Client
from chaos.modes import MODES
from chaos.server import Server, ended, fresh, tree

CLIENTS = 4  # each with a process of its own name, by which its jobs are known
WAYS = 10  # in which a job hides
PROCESS = '''
import ctypes, os, signal, subprocess, threading, time
from pathlib import Path
from geomill.processes import Progress, process

LIBC = ctypes.CDLL(None, use_errno=True)
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
NEWUSER, NEWPID, NEWNS = 0x10000000, 0x20000000, 0x20000


def ready(name):
    os.write(TOLD, b".")


def stay(*_):
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ready("stay")
    while True:
        time.sleep(60)


def fork(run, *arguments):
    if pid := os.fork():
        return pid
    try:
        run(*arguments)
    finally:
        os._exit(0)


def leave():
    os.setsid()
    os.chdir("/")
    fork(stay)


def daemonise():
    """Nothing leads back to the job: no session, directory or descriptor."""
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ready("daemon")
    os.closerange(0, 1024)
    while True:
        time.sleep(60)


def hop():
    """Be another process every millisecond."""
    os.setsid()
    ready("hop")
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.001)


def breed():
    """Be two processes for each that ends."""
    os.setsid()
    ready("breed")
    for _ in range(4):
        fork(hop_quietly)
    time.sleep(600)


def hop_quietly():
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.002)


def freeze():
    ready("freeze")
    os.kill(os.getpid(), signal.SIGSTOP)


def unshare():
    """In namespaces of its own, where the host allows some."""
    LIBC.unshare(NEWUSER | NEWPID | NEWNS)
    fork(stay)
    time.sleep(600)


def threads():
    """A process whose first thread has ended and whose others go on."""
    threading.Thread(target=time.sleep, args=(600,)).start()
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    ready("threads")
    LIBC.syscall(60, 0)  # exit, of this thread alone (x86-64)
    time.sleep(600)


def traced():
    """A process that another one traces, and has stopped."""
    child = os.fork()
    if child == 0:
        LIBC.ptrace(0, 0, 0, 0)  # PTRACE_TRACEME
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)
    os.waitpid(child, 0)
    stay()


def run(progress):
    global TOLD
    marker = open("marker", "w")
    reading, TOLD = os.pipe()
    for way in (stay, leave, daemonise, hop, breed, freeze, unshare, threads, traced):
        fork(way)
    subprocess.Popen(["sh", "-c", "trap '' TERM; exec 3>marker; while true; do sleep 1; done"], start_new_session=True)
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    heard = 0
    while heard < 9:
        heard += len(os.read(reading, 16))
    progress(50, "ready")
    while True:
        time.sleep(60)
'''
ONE = '''

@process
def wild_{number}(progress: Progress) -> int:
    """Hide in every way there is."""
    run(progress)
    return 0
'''


def dismissals(mode: str, jobs: int) -> tuple[str, dict[str, list[str]]]:
    """(the figures, what is wrong) of so many dismissals."""
    begun = time.monotonic()
    how: dict[str, Any] = dict(MODES[mode])
    code = PROCESS + "".join(ONE.format(number=number) for number in range(CLIENTS))
    answers: Counter[str] = Counter()
    left: list[str] = []
    with fresh(**how, code=code) as server, ended(server):
        with ThreadPoolExecutor(CLIENTS) as pool:
            for said, survivors in pool.map(lambda each: list(_dismissed(server, *each)), _shares(jobs)):
                answers += said
                left += survivors
        until(lambda: not [pid for pid in tree() if leaks.running_name(pid).startswith("wild")])
        shutil.rmtree(server.root, ignore_errors=True)
    words = ", ".join(f"{count} x {answer}" for answer, count in answers.items())
    lines = {"dismissals": words, "survivors": len(left), "seconds": f"{time.monotonic() - begun:.0f}"}
    figures = "\n".join(f"  {name:<16} {value}" for name, value in lines.items())
    return figures, {"survivors": left} if left else {}


def _shares(jobs: int) -> list[tuple[int, int]]:
    return [(number, jobs // CLIENTS + (number < jobs % CLIENTS)) for number in range(CLIENTS)]


def _dismissed(server: Server, number: int, jobs: int) -> Iterator[Any]:
    """(answers, survivors) of one client, one job after the other."""
    client, name = Client(server.url, Book(), random.Random(number)), f"wild-{number}"
    answers: Counter[str] = Counter()
    survivors: list[str] = []
    store = server.store
    for _ in range(jobs):
        job_id = client.submit(name, None).job_id
        until(lambda: (store.read_status(job_id).message or "") == "ready", 60)  # noqa: B023
        hidden = [pid for pid in tree() if leaks.running_name(pid) == name]
        assert len(hidden) >= WAYS, f"the job hides in {len(hidden)} processes only"
        while True:
            reply = client.insist("DELETE", f"/jobs/{job_id}")
            answers[f"{reply.status} {reply.json().get('status')}"] += 1
            if reply.status == 200:
                break
            time.sleep(0.05)
        survivors += [f"{job_id}: {seen}" for seen in at_work(job_id)]
        survivors += [f"{job_id}: {name} {pid}" for pid in tree() if leaks.running_name(pid) == name]
    yield answers
    yield survivors
