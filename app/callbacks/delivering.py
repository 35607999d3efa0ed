"""Telling subscribers: a process of its own, a chore of the dispatcher, that lives while somebody is to be told.

A receiver that is slow or dead holds a thread of this process for some seconds, and no more than its share of them.
"""

from __future__ import annotations

import concurrent.futures
import fcntl
import logging
import os
import re
import signal
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from geomill.app import create_app, loglines, tenant_names
from geomill.app.access import open_guard
from geomill.app.callbacks import documents, due
from geomill.app.callbacks.due import Attempt, Delivery
from geomill.app.callbacks.signing import Signing
from geomill.app.config import Settings
from geomill.app.download import send
from geomill.app.engine import isolation
from geomill.app.engine.runtime import CALLING
from geomill.app.exchange import InvalidRequest
from geomill.app.exchange.request import read
from geomill.app.guard import PORTS, Refused, Unreachable, phrase
from geomill.app.inlining import Inlining, TooMuchAtOnce
from geomill.jobstore import JobCorrupt, JobExpired, JobStore, NoSuchJob, callbacks, maintenance
from geomill.jobstore.records import now

SPAN = 600.0  # seconds after which another process goes on
LINGER = 20.0  # seconds without anything to tell after which it ends
TIMEOUT = 10.0  # seconds for one attempt
AT_ONCE, OF_OWNER, OF_RECEIVER = 64, 16, 2  # attempts: all, of one caller, of one caller to one host
INLINED = 32 * 2**20  # bytes of files that all attempts together hold, each of them several times
SHORTEST, LONGEST, SHARE = 0.25, 10.0, 20.0  # seconds between two looks, and how many times what one takes

_ROOT = re.compile(r"https?://[!-~]+/")  # a landing page

log = logging.getLogger(__name__)


Lane = tuple[str | int, ...]


@dataclass
class Followed:
    """A job that somebody is to hear of. told: the delivery that is next, at: when; lines: the log of the job."""

    store: JobStore
    job_id: str
    root: str
    owner: str
    subscriber: dict[str, str]
    lines: list[dict[str, Any]]
    told: Delivery | None = None
    at: float = 0.0
    unwritten: list[Attempt] = field(default_factory=list)

    @property
    def lanes(self) -> tuple[Lane, Lane]:
        """Whose attempt the next one is, in whatever tenant, and to which host and port, however they are written."""
        parts = urlsplit(self.told.uri if self.told else "")
        host = (parts.hostname or "").removesuffix(".")
        return (self.owner,), (self.owner, host, parts.port or PORTS.get(parts.scheme, 0))

    @property
    def about(self) -> dict[str, Any]:
        """What log lines are about."""
        return loglines.of_job(self.job_id, self.store.tenant)


class Deliverer:
    """Follows the jobs that are marked, and tells what is due."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.app = create_app(settings)
        self.app.inlining = Inlining(INLINED)
        self.signing = Signing(settings.home)
        self.followed: dict[tuple[str, str], Followed] = {}
        self.flying: dict[concurrent.futures.Future[Attempt], Followed] = {}
        self.threads = concurrent.futures.ThreadPoolExecutor(AT_ONCE, "callback")

    def run(self) -> None:
        """Deliver until nothing is left, or it is time for another process."""
        end = idle = time.monotonic()
        end += SPAN
        while time.monotonic() < end and time.monotonic() < idle + LINGER:
            begun = time.monotonic()
            beat(self.settings)
            with suppress(OSError):  # the disk may come back
                if not maintenance.on(self.settings.home):
                    self._look()
                    self._begin()
            self._land(min(max(SHORTEST, SHARE * (time.monotonic() - begun)), LONGEST))
            if self.followed:
                idle = time.monotonic()
        deadline = time.monotonic() + TIMEOUT
        while self.flying and time.monotonic() < deadline:
            self._land(SHORTEST)

    def _look(self) -> None:
        """Learn of the jobs that are marked now, and what is next of each."""
        marked = set()
        for name in tenant_names.at_work(self.settings.home):
            store = self.app.tenants.get(name).jobs
            for job_id in store.callbacks.expected():
                marked.add((name, job_id))
                if (name, job_id) not in self.followed and (known := _followed(store, job_id)):
                    self.followed[name, job_id] = known
        flying = set(map(id, self.flying.values()))
        for key, followed in list(self.followed.items()):
            if id(followed) in flying:
                continue
            if key not in marked:  # it was removed
                del self.followed[key]
            elif followed.unwritten or followed.told is None or not followed.told.last or followed.at <= time.time():
                self._plan(followed)

    def _plan(self, followed: Followed) -> None:
        """What is next of a job; nothing more, and the mark goes."""
        _write(followed)
        try:
            info = followed.store.read_status(followed.job_id)
        except NoSuchJob:
            return self._forget(followed)
        except OSError:  # the disk may come back
            return
        if info.expired:
            message = "job %s of tenant %s has expired, and its subscriber was not told of its end"
            log.warning(message, followed.job_id, followed.store.tenant, extra=followed.about)
            return self._forget(followed)
        followed.told = due.delivery(info, followed.subscriber)
        at = due.when(followed.told, followed.lines, time.time()) if followed.told else None
        if at is not None:
            followed.at = at
        elif info.status.final and not followed.unwritten:
            self._forget(followed)
        else:
            followed.told = None

    def _forget(self, followed: Followed) -> None:
        with suppress(OSError):
            followed.store.callbacks.forget(followed.job_id)
        self.followed.pop((followed.store.tenant, followed.job_id), None)

    def _begin(self) -> None:
        """Try what is due and has room: of each caller in the order of time, of callers whoever has the least going."""
        flying = list(self.flying.values())
        lanes = Counter(lane for each in flying for lane in each.lanes)
        busy, moment = set(map(id, flying)), time.time()
        due_now = [each for each in self.followed.values() if each.told and each.at <= moment and id(each) not in busy]
        waiting: dict[str, list[Followed]] = {}
        for each in sorted(due_now, key=lambda each: each.at, reverse=True):
            waiting.setdefault(each.owner, []).append(each)
        while waiting and len(self.flying) < AT_ONCE:
            owner = min(waiting, key=lambda owner: lanes[(owner,)])
            if lanes[(owner,)] >= OF_OWNER or not waiting[owner]:
                del waiting[owner]
                continue
            each = waiting[owner].pop()
            if each.told and lanes[each.lanes[1]] < OF_RECEIVER:
                lanes.update(each.lanes)
                self.flying[self.threads.submit(self._attempt, each, each.told)] = each

    def _land(self, seconds: float) -> None:
        """Note what came of the attempts that have ended; wait so long, and no longer than until one ends."""
        if not self.flying:
            time.sleep(seconds)
            return
        done, _ = concurrent.futures.wait(self.flying, seconds, concurrent.futures.FIRST_COMPLETED)
        for future in done:
            followed, attempt = self.flying.pop(future), future.result()
            followed.lines.append(attempt.line)
            followed.unwritten.append(attempt)
            followed.at = 0.0
            _write(followed)
            if attempt.outcome == due.GIVEN_UP:
                message = "job %s of tenant %s: nobody tries any more to tell its subscriber of %s: %s"
                told = (followed.job_id, followed.store.tenant, attempt.delivery.event, attempt.message)
                log.warning(message, *told, extra=followed.about)

    def _attempt(self, followed: Followed, told: Delivery) -> Attempt:
        """One attempt, in a thread. Never raises."""
        try:
            status, message = self._post(followed, told)
        except (Refused, Unreachable, TooMuchAtOnce) as error:
            status, message = None, str(error)
        except (NoSuchJob, JobExpired) as error:
            return Attempt(told, now(), due.GIVEN_UP, None, f"there is nothing left to tell: {error}")
        except OSError as error:
            status, message = None, f"this server cannot read what it needs: {error.strerror or error}"
        except Exception:
            message = "job %s of tenant %s: its subscriber cannot be told of %s"
            log.exception(message, followed.job_id, followed.store.tenant, told.event, extra=followed.about)
            status, message = None, "this server failed to make the document; its log says why"
        return due.judged(told, now(), followed.lines, self.settings.callback_patience, status, message)

    def _post(self, followed: Followed, told: Delivery) -> tuple[int, str]:
        """The receiver's answer, and what is wrong with it. Raises Refused, Unreachable and what `of_event` raises."""
        tenant = followed.store.tenant
        target, way = open_guard(self.settings, tenant).reached(told.uri)
        with ExitStack() as held:
            body, job = documents.of_event(self.app, tenant, followed.root, followed.job_id, told.event, held)
            headers = self.signing.headers(tenant, followed.owner, told.id, int(time.time()), body)
            headers |= {"Content-Type": "application/json", "Link": f'<{job}>; rel="monitor"'}
            with send("POST", target, way, time.monotonic() + TIMEOUT, headers, body) as response:
                answer = response.status
        moved = "; a callback follows no redirect" if 300 <= answer < 400 else ""
        return answer, f"it answered {answer} {phrase(answer)}".strip() + moved


def _followed(store: JobStore, job_id: str) -> Followed | None:
    """What is known of a marked job; the mark of one that cannot be told of goes."""
    try:
        root, owner = store.callbacks.root(job_id), store.read_status(job_id).owner
        if root is None:
            return None
        if not _ROOT.fullmatch(root):
            raise JobCorrupt(job_id, "the mark of its callbacks is torn")
        subscriber = read(store.request(job_id)).subscriber
        return Followed(store, job_id, root, owner, dict(subscriber), callbacks.noted(store.folder(job_id)))
    except NoSuchJob:  # it may be in the making
        if store.callbacks.is_abandoned(job_id):
            store.callbacks.forget(job_id)
    except (JobExpired, JobCorrupt, InvalidRequest) as error:
        about = loglines.of_job(job_id, store.tenant)
        log.warning("job %s of tenant %s: nobody can be told of it: %s", job_id, store.tenant, error, extra=about)
        with suppress(OSError):
            store.callbacks.forget(job_id)
    except OSError:
        pass
    return None


def _write(followed: Followed) -> None:
    """Bring what came of attempts into the log of the job; what a full disk has no room for waits."""
    with suppress(OSError, NoSuchJob):
        while followed.unwritten:
            attempt = followed.unwritten[0]
            folder = followed.store.folder(followed.job_id)
            callbacks.note(folder, attempt.line, last=attempt.delivery.last)
            followed.unwritten.pop(0)


def beat(settings: Settings) -> None:
    """Say that who delivers still does: by the time of the lock."""
    with suppress(OSError):
        os.utime(settings.runtime_dir / CALLING)


def deliver(settings: Settings) -> None:
    """Be the process that delivers, unless there is one: the other belongs to a dispatcher that has gone just now."""
    isolation.die_with_parent()
    isolation.set_name("geomill-calls")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(int(SPAN + 5 * TIMEOUT))
    descriptor = os.open(settings.runtime_dir / CALLING, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    beat(settings)
    Deliverer(settings).run()
