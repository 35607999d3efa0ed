"""The proof, once it is calm again: nothing is lost, doubled, stuck, torn or left."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from support import leaks
from support.at_work import at_work
from support.forks import Child
from support.waiting import holds

from chaos.agent import Agent, dispatchers, master, spares, templates, workers
from chaos.load import Book, Promise
from chaos.server import LONGEST, Server, reap, tree
from geomill.jobstore import Job, JobStore, NoSuchJob, Status, StatusInfo
from geomill.jobstore.fsck import check

SOON = 5.0  # seconds after which nothing is on its way any more
VICTIMS = ("lost", "signal", "exit", "exception", "terminated", "result")  # how a job may fail that was hit


@dataclass
class Verdict:
    """What was found. Every list has to be empty."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)

    @property
    def found(self) -> dict[str, list[str]]:
        """What is wrong, by what it is."""
        return {name: each for name, each in vars(self).items() if isinstance(each, list) and each}


def judge(server: Server, agent: Agent, book: Book, user: int | None) -> Verdict:
    """Wait until it is calm, look at everything, stop the server, look again."""
    verdict = Verdict()
    verdict.stuck += _wait_for_ends(server)
    reap(server)
    verdict.leftovers += [f"a survivor of a DELETE: {seen}" for seen in book.survivors]
    holds(lambda: not _strangers(server), SOON)
    verdict.leftovers += [f"beside the server: {_named(pid)}" for pid in _strangers(server)]
    jobs = dict(_jobs(server.store))
    verdict.leftovers += [f"of a job that has ended: {seen}" for seen in at_work(f"{server.store.jobs}/")]
    _compare(verdict, book, jobs, server.store)
    _blame(verdict, agent, jobs)
    verdict.wrong += book.wrong
    verdict.wrong += _as_user(user, lambda: [f"fsck: {each.path}: {each.text}" for each in check(server.store)])
    server.retire()

    def gone() -> bool:
        reap(server)
        return not tree()

    if not holds(gone, SOON):
        verdict.leftovers += [f"after the server: {_named(pid)}" for pid in tree()]
    return verdict


def _wait_for_ends(server: Server) -> list[str]:
    """Until nothing runs any more; what goes on while nothing has ended for as long as any job takes is stuck."""
    left: set[str] = set()
    moved = time.monotonic()
    while True:
        now = {job_id for job_id, (_, info) in _jobs(server.store) if not info.status.final}
        if not now:
            return []
        if now != left:
            left, moved = now, time.monotonic()
        if time.monotonic() - moved > LONGEST + SOON:
            store = server.store
            return [f"job {job_id} is {store.read_status(job_id)}" for job_id in sorted(now)]
        time.sleep(0.1)


def _jobs(store: JobStore) -> Iterator[tuple[str, tuple[Job, StatusInfo]]]:
    for job_id in store.walk():
        with suppress(NoSuchJob):
            yield job_id, (store.job(job_id), store.read_status(job_id))


def _strangers(server: Server) -> list[int]:
    """Processes that are neither the server's nor its dispatcher's."""
    reap(server)
    known = {*master(server), *workers(server), *dispatchers(server), *templates(server), *spares(server)}
    return [pid for pid in tree() if pid not in known]


def _named(pid: int) -> str:
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return f"{leaks.running_name(pid)} {pid}: {file.read().replace(bytes(1), b' ').decode()[:100]}"
    return f"{pid}, which has gone"


def _compare(verdict: Verdict, book: Book, jobs: dict[str, tuple[Job, StatusInfo]], store: JobStore) -> None:
    """Every promise is there, once, and kept."""
    for promise in book.promises:
        if promise.removed:
            if promise.job_id in jobs:
                verdict.wrong.append(f"job {promise.job_id} was removed and is there")
        elif promise.job_id not in jobs:
            verdict.lost.append(f"job {promise.job_id}, last seen {promise.seen}")
        else:
            info = jobs[promise.job_id][1]
            verdict.ends[info.cause or info.status.value] += 1
            verdict.wrong += _broken(promise, info, store)
    keys = Counter(job.key for job, _ in jobs.values() if job.key)
    verdict.duplicated += [f"{count} jobs with the key {key}" for key, count in keys.items() if count > 1]
    known = {promise.job_id for promise in book.promises}
    unknown = [job for job_id, (job, _) in jobs.items() if job_id not in known]
    if len([job for job in unknown if job.retry_of]) > book.unanswered:
        verdict.duplicated.append(f"{len(unknown)} jobs that nobody asked for: {[job.job_id for job in unknown]}")


def _broken(promise: Promise, info: StatusInfo, store: JobStore) -> Iterator[str]:
    if promise.dismissed and info.status is not Status.DISMISSED:
        yield f"job {promise.job_id} was dismissed and is {info.status.value}: {info.message}"
    if info.status is Status.SUCCESSFUL:
        (result,) = store.results(promise.job_id).values()
        content = store.output(promise.job_id, result.file).read_text() if result.file else result.value
        if content != promise.expected:
            yield f"job {promise.job_id} gave {content!r:.200}, not {promise.expected!r:.200}"
    if info.status is Status.DISMISSED and promise.expected is not None:
        yield f"job {promise.job_id} is dismissed, and nobody wanted that"


def _blame(verdict: Verdict, agent: Agent, jobs: dict[str, tuple[Job, StatusInfo]]) -> None:
    """A job has failed only if it was hit itself; of a spare nobody knows whose it was about to be."""
    failed = [info for _, info in jobs.values() if info.status is Status.FAILED]
    innocent = [info for info in failed if info.job_id not in agent.hit or info.cause not in VICTIMS]
    perhaps = [info for info in innocent if info.cause in ("lost", "signal")]
    if len(perhaps) <= agent.spares_hit:
        innocent = [info for info in innocent if info not in perhaps]
    verdict.wrong += [
        f"job {each.job_id} of {each.process_id} failed, and was not hit: {each.cause}: {each.message}"
        for each in innocent
    ]


def _as_user(user: int | None, look: object) -> list[str]:
    """What somebody finds who runs the server: another would leave files in there that he cannot open."""

    def run() -> list[str]:
        if user is not None:
            os.setgid(user)
            os.setuid(user)
        return look()  # type: ignore[operator,no-any-return]

    child = Child(run)
    child.go()
    answer = child.answer()
    return answer if isinstance(answer, list) else [f"fsck failed: {answer}"]
