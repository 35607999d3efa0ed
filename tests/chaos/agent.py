"""Who brings chaos: kills, stops and hangs up, at random, and remembers which jobs were hit."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from support import leaks
from support.at_work import DISPATCHER
from support.waiting import holds

from chaos.server import Server, reap, tree
from geomill.app.engine import reaper

JOB = re.compile(r"/jobs/[0-9a-f]{7}/([0-9a-f-]{36})")
SUPERVISOR = "geomill-job"
STOPPED = (0.05, 2.0)  # seconds that somebody is stopped
CALM = (0.02, 0.35)  # seconds between two acts

Victims = Callable[[Server], list[int]]


def master(server: Server) -> list[int]:
    return [server.process.pid] if server.process else []


def workers(server: Server) -> list[int]:
    return [pid for parent in master(server) for pid in leaks.children(parent)]


def dispatchers(_: Server) -> list[int]:
    """Dispatchers; their chores and templates just forked have the same name."""
    named = [pid for pid in tree() if leaks.running_name(pid) == DISPATCHER]
    return [pid for pid in named if reaper.parent(pid) not in named]


def templates(server: Server) -> list[int]:
    named = [child for pid in dispatchers(server) for child in leaks.children(pid)]
    return [pid for pid in named if leaks.running_name(pid) in leaks.TEMPLATES]


def spares(server: Server) -> list[int]:
    """Supervisors and children that wait for a job."""
    found = [child for pid in templates(server) for child in reaper.descendants(pid)]
    return [pid for pid in found if leaks.running_name(pid) in leaks.TEMPLATES]


def supervisors(_: Server) -> list[int]:
    return [pid for pid in tree() if leaks.running_name(pid) == SUPERVISOR]


def processes_of_jobs(server: Server) -> list[int]:
    return [pid for parent in supervisors(server) for pid in reaper.descendants(parent)]


def job_of(pid: int | None) -> str | None:
    """The job that a process belongs to, by what its supervisor has open."""
    while pid and pid != os.getpid():
        with suppress(OSError):
            if leaks.running_name(pid) == SUPERVISOR:
                for name in os.listdir(f"/proc/{pid}/fd"):
                    with suppress(OSError):
                        if found := JOB.search(os.readlink(f"/proc/{pid}/fd/{name}")):
                            return found[1]
        pid = reaper.parent(pid)
    return None


# who, and how often; the last member says whether a job dies with one of them
KINDS: dict[str, tuple[Victims, int, bool]] = {
    "worker": (workers, 12, False),
    "dispatcher": (dispatchers, 14, False),
    "template": (templates, 12, False),
    "spare": (spares, 6, True),
    "supervisor": (supervisors, 14, True),
    "job": (processes_of_jobs, 14, True),
}
RARE = {"master": 1, "hang up": 2, "restart": 1, "everything": 1, "index": 3}


@dataclass
class Agent:
    """Does an act after the other until there were enough kills. hit: the jobs that may have failed for it."""

    server: Server
    kills: int
    chance: random.Random
    only: frozenset[str] = frozenset()
    done: Counter[str] = field(default_factory=Counter)
    hit: set[str] = field(default_factory=set)
    spares_hit: int = 0
    stopped: dict[int, tuple[float, int, int, str, bool]] = field(default_factory=dict)  # by pidfd; see _hurt
    error: BaseException | None = None

    def run(self, enough: threading.Event) -> None:
        """Until there were enough kills; nobody is left stopped."""
        try:
            while self.killed < self.kills:
                self.act()
                self._let_go(time.monotonic())
                reap(self.server)
                time.sleep(self.chance.uniform(*CALM))
        except BaseException as error:
            self.error = error
        finally:
            self._let_go(float("inf"))
            enough.set()

    @property
    def killed(self) -> int:
        """How many processes, or whole servers, have been sent SIGKILL."""
        return sum(count for name, count in self.done.items() if name.startswith("kill "))

    def act(self) -> None:
        """One act."""
        kinds = {**{name: kind[1] for name, kind in KINDS.items()}, **RARE}
        kinds = {name: weight for name, weight in kinds.items() if not self.only or name in self.only}
        (kind,) = self.chance.choices(list(kinds), list(kinds.values()))
        if kind in KINDS:
            find, _, deadly = KINDS[kind]
            if found := find(self.server):
                self._hurt(kind, self.chance.choice(found), deadly)
        else:
            getattr(self, "_" + kind.replace(" ", "_"))()

    # ---- one process

    def _hurt(self, kind: str, pid: int, deadly: bool) -> None:
        with suppress(OSError):
            pidfd = os.pidfd_open(pid)
            signal.pidfd_send_signal(pidfd, signal.SIGSTOP)  # so that what is seen of it stays so
            if self.chance.random() < 0.7:
                self._send(pidfd, pid, signal.SIGKILL, kind, deadly)
                os.close(pidfd)
            else:
                then = signal.SIGKILL if self.chance.random() < 0.4 else signal.SIGCONT
                self.done[f"stop {kind}"] += 1
                until = time.monotonic() + self.chance.uniform(*STOPPED)
                self.stopped[pidfd] = until, pid, then, kind, deadly

    def _send(self, pidfd: int, pid: int, number: int, kind: str, deadly: bool) -> None:
        """What is hit is known before it is hit: afterwards nobody can tell."""
        if deadly and number == signal.SIGKILL:
            job = job_of(pid)
            self.hit |= {job} if job else set()
            self.spares_hit += job is None
        signal.pidfd_send_signal(pidfd, number)
        if number == signal.SIGKILL:
            self.done[f"kill {kind}"] += 1

    def _let_go(self, moment: float) -> None:
        for pidfd, (until, pid, number, kind, deadly) in list(self.stopped.items()):
            if until <= moment:
                with suppress(OSError):
                    self._send(pidfd, pid, number, kind, deadly)
                os.close(pidfd)
                del self.stopped[pidfd]

    # ---- the whole server

    def _master(self) -> None:
        with self.server.lock:
            self.server.end(signal.SIGKILL)
            self.done["kill master"] += 1
            time.sleep(self.chance.uniform(0, 1))
            self._let_go(float("inf"))  # workers that are stopped hold the port
            self.server.start()

    def _hang_up(self) -> None:
        for pid in master(self.server):
            os.kill(pid, signal.SIGHUP)
            self.done["hang up"] += 1

    def _restart(self) -> None:
        """TERM: running jobs go on."""
        with self.server.lock:
            self._let_go(float("inf"))
            self.server.end(signal.SIGTERM)
            self.done["restart"] += 1
            self.server.start()

    def _everything(self) -> None:
        """As if somebody had pulled the plug, but for the disk."""
        with self.server.lock:
            seen: set[int] = set()
            while new := set(tree()) - seen:
                seen |= new
                self._send_all(new, signal.SIGSTOP)
            self.hit |= {job for pid in supervisors(self.server) if (job := job_of(pid))}
            self._send_all(seen, signal.SIGKILL)
            holds(lambda: not tree())
            self.server.end(signal.SIGKILL)
            self.done["kill everything"] += 1
            self._let_go(float("inf"))
            self.server.start()

    def _send_all(self, pids: set[int], number: signal.Signals) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _index(self) -> None:
        """Take the index away, or the link to it."""
        link = self.server.store.index.path
        with suppress(OSError):
            (link if self.chance.random() < 0.5 else link.with_name(os.readlink(link))).unlink()
            self.done["index"] += 1
