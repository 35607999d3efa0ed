"""The clients: they submit, wait, dismiss, remove, list and retry, and write down what the server has promised.

They are good clients: an asynchronous request carries an Idempotency-Key and is repeated until it has an answer; who
does not know whether a DELETE came through looks first.
"""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3
from support.at_work import Seen, at_work
from support.hostile import CWL

from chaos.server import LONGEST

FINAL = ("successful", "failed", "dismissed")
PATIENCE = 60.0  # seconds until somebody gives up, long after the end of the chaos
ANSWER = urllib3.Timeout(connect=2, read=15)
MOST_AT_ONCE = 4  # jobs that a client waits for
UPPER = {
    "cwlVersion": "v1.2", "class": "Workflow", "inputs": {"text": "string"},
    "requirements": {"InlineJavascriptRequirement": {}},
    "steps": {
        "say": {
            "run": {
                "class": "CommandLineTool", "baseCommand": ["echo", "-n"], "stdout": "said",
                "inputs": {"text": {"type": "string", "inputBinding": {}}}, "outputs": {"said": {"type": "stdout"}},
            },
            "in": {"text": "text"}, "out": ["said"],
        },
        "count": {
            "run": {
                "class": "CommandLineTool", "baseCommand": ["tr", "a-z", "A-Z"], "stdin": "$(inputs.said.path)",
                "stdout": "counted", "inputs": {"said": "File"}, "outputs": {"counted": {"type": "stdout"}},
            },
            "in": {"said": "say/said"}, "out": ["counted"],
        },
    },
    "outputs": {"counted": {"type": "File", "outputSource": "count/counted"}},
}  # fmt: skip


def failed_job(reply: urllib3.BaseHTTPResponse) -> str | None:
    """The job whose failure an answer of 500 or 503 is about: asking again gives the same."""
    with suppress(ValueError):
        problem = reply.json()
        if problem["type"].endswith(("/problems/process-failed", "/problems/job-lost")):
            return str(problem["instance"]).rpartition("/jobs/")[2]
    return None


class GaveUp(Exception):
    """Nobody answered for a minute."""


@dataclass
class Promise:
    """What a client was promised about a job. expected: the content of its result."""

    job_id: str
    key: str | None
    expected: str | None
    dismissed: bool = False
    removed: bool = False
    seen: str = "accepted"  # the last status


@dataclass
class Book:
    """All that the clients know. wrong: what must never happen."""

    promises: list[Promise] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    survivors: list[Seen] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0  # retries of jobs that may have been accepted, unknown to the client
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, promise: Promise) -> Promise:
        """Write down a job that was accepted."""
        with self.lock:
            self.promises.append(promise)
        return promise


class Client:
    """One client, which does one thing after the other."""

    def __init__(self, url: str, book: Book, chance: random.Random) -> None:
        self.url, self.book, self.chance = url, book, chance
        self.enough = threading.Event()
        self.waiting: list[Promise] = []
        self.ended: list[Promise] = []
        self.acts = {
            self.submit_nap: 24, self.submit_file: 14, self.submit_package: 8, self.wait_for_one: 14,
            self.dismiss_one: 9, self.remove_one: 12, self.look_at_the_list: 7, self.retry_one: 5,
        }  # fmt: skip

    def run(self, enough: threading.Event) -> None:
        """Until there was enough chaos; then wait for what was begun."""
        self.enough = enough
        try:
            while not enough.is_set():
                self.act()
            while self.waiting:
                self.follow(self.waiting[0])
        except Exception as error:
            self.book.wrong.append(f"a client failed: {type(error).__name__}: {error}")

    def act(self) -> None:
        """One thing."""
        (act,) = self.chance.choices(list(self.acts), list(self.acts.values()))
        self.book.done[act.__name__.replace("_", " ")] += 1
        act()
        if len(self.waiting) > MOST_AT_ONCE:
            self.follow(self.waiting[0])

    # ---- asking

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse | None:
        """One request, sent once: the answer, or None when there was none, or only of trouble that may pass."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            with urllib3.PoolManager(retries=False, timeout=ANSWER) as pool:
                reply = pool.request(method, self.url + path, body=content, headers=named)
        except (urllib3.exceptions.HTTPError, OSError):
            self.book.done["requests without an answer"] += 1
            return None
        if reply.status < 500 or failed_job(reply):
            return reply
        self.book.done[f"answers {reply.status}"] += 1
        if reply.status != 503:
            self.book.wrong.append(f"{method} {path}: {reply.status} {reply.data[:300]!r}")
        return None

    def insist(self, method: str, path: str, body: Any = None, **headers: str) -> urllib3.BaseHTTPResponse:
        """A request that may be repeated, until it is answered. Raises GaveUp."""
        deadline = time.monotonic() + PATIENCE
        while (reply := self.ask(method, path, body, **headers)) is None:
            if not self.enough.is_set():  # patience begins when everything should work
                deadline = time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                raise GaveUp(f"{method} {path}")
            time.sleep(self.chance.uniform(0.05, 0.3))
        return reply

    # ---- submitting

    def submit(self, process: str, expected: str | None, **inputs: Any) -> Promise:
        """An asynchronous job."""
        key = str(uuid.UUID(int=self.chance.getrandbits(128)))
        headers = {"Prefer": "respond-async", "Idempotency_Key": key}
        reply = self.insist("POST", f"/processes/{process}/execution", {"inputs": inputs}, **headers)
        if reply.status != 201:
            raise AssertionError(f"{process}: {reply.status} {reply.data[:300]!r}")
        return self.book.note(Promise(reply.json()["jobID"], key, expected))

    def text(self) -> str:
        """Some words that nobody else sends."""
        return "".join(self.chance.choices("abcdefghijklmnop", k=24))

    def submit_nap(self) -> None:
        """A short job, waited for or not."""
        text, seconds = self.text(), self.chance.choice([0, 0, 0.05, 0.3, LONGEST / 2])
        if self.chance.random() < 0.5:
            self.waiting.append(self.submit("nap", text, text=text, seconds=seconds))
            return
        key = str(uuid.UUID(int=self.chance.getrandbits(128)))
        body = {"inputs": {"text": text, "seconds": seconds}}
        reply = self.insist("POST", "/processes/nap/execution", body, Idempotency_Key=key)
        if reply.status == 201:
            self.waiting.append(self.book.note(Promise(reply.json()["jobID"], key, text)))
        elif job_id := failed_job(reply):
            self.ended.append(self.book.note(Promise(job_id, key, text, seen="failed")))
        elif reply.status == 200:
            self.book.done["synchronous answers"] += 1
            if reply.data.decode() != text:
                self.book.wrong.append(f"a synchronous answer was {reply.data!r}, not {text!r}")
            name = next((link for link in reply.headers.get("Link", "").split(",") if "monitor" in link), "")
            if job_id := name.partition("/jobs/")[2][:36]:
                self.ended.append(self.book.note(Promise(job_id, key, text, seen="successful")))

    def submit_file(self) -> None:
        """A job that writes a file."""
        text, seconds = self.text(), self.chance.choice([0, 0.2, LONGEST / 2])
        self.waiting.append(self.submit("write", (text + "\n") * 100, text=text, seconds=seconds))

    def submit_package(self) -> None:
        """A job of two steps."""
        text = self.text()
        self.waiting.append(self.submit("upper", text.upper(), text=text))

    def retry_one(self) -> None:
        """Repeat a job. This is no request that could be repeated: nobody knows what came of one without an answer."""
        candidates = [each for each in self.ended if not each.removed and each.expected is not None]
        if not candidates:
            return
        old = self.chance.choice(candidates)
        reply = self.ask("POST", f"/jobs/{old.job_id}/retry")
        if reply is None:
            self.book.unanswered += 1
        elif reply.status == 201:
            self.waiting.append(self.book.note(Promise(reply.json()["jobID"], None, old.expected)))
        else:
            self.book.wrong.append(f"a retry of {old.job_id}: {reply.status} {reply.data[:300]!r}")

    # ---- looking

    def status(self, promise: Promise) -> tuple[dict[str, Any] | None, str]:
        """The status document and its ETag; None for a job that is not there."""
        reply = self.insist("GET", f"/jobs/{promise.job_id}")
        if reply.status == 404:
            return None, ""
        status = reply.json()
        if promise.seen in FINAL and status["status"] != promise.seen:
            self.book.wrong.append(f"job {promise.job_id} was {promise.seen} and is {status['status']}")
        promise.seen = status["status"]
        return status, reply.headers["ETag"]

    def follow(self, promise: Promise) -> None:
        """Wait until a job has ended."""
        deadline = time.monotonic() + PATIENCE
        while True:
            status, _ = self.status(promise)
            if status is None:
                self.book.wrong.append(f"job {promise.job_id} was accepted and is not there")
                break
            if status["status"] in FINAL:
                break
            if not self.enough.is_set():
                deadline = time.monotonic() + PATIENCE
            if time.monotonic() > deadline:
                self.book.wrong.append(f"job {promise.job_id} is {status['status']} after {PATIENCE:g} s")
                break
            time.sleep(0.1)
        self.waiting.remove(promise)
        self.ended.append(promise)

    def wait_for_one(self) -> None:
        """Wait for any job."""
        if self.waiting:
            self.follow(self.chance.choice(self.waiting))

    def look_at_the_list(self) -> None:
        """All jobs, page by page; those that this client knows to have ended are there, as they ended."""
        known = {each.job_id: each.seen for each in self.ended if not each.removed}
        listed: dict[str, str] = {}
        path: str | None = "/jobs?limit=50"
        while path:
            reply = self.insist("GET", path)
            if reply.status != 200:
                raise AssertionError(f"{path}: {reply.status} {reply.data[:300]!r}")
            document = reply.json()
            listed |= {job["jobID"]: job["status"] for job in document["jobs"]}
            following = [link["href"] for link in document["links"] if link["rel"] == "next"]
            path = following[0].removeprefix(self.url) if following else None
        for job_id, status in known.items():
            if job_id in listed and listed[job_id] != status:
                self.book.wrong.append(f"job {job_id} is {status}, and {listed[job_id]} in the list")
        self.book.done["missing in a list"] += len(known.keys() - listed.keys())

    # ---- ending

    def dismiss_one(self) -> None:
        """Begin a job that would never end, and dismiss it at any moment."""
        promise = self.submit("hold", None)
        time.sleep(self.chance.choice([0, 0, 0.1, 0.5]))
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, etag = self.status(promise)
            if status is None or status["status"] in FINAL:
                break
            reply = self.ask("DELETE", f"/jobs/{promise.job_id}", If_Match=etag)
            if reply is not None and reply.status == 200:
                left = at_work(promise.job_id)
                if left and reply.json().get("message") == "dismissed before it began":
                    time.sleep(0.5)  # a supervisor that came too late looks at the job, and leaves
                    left = at_work(promise.job_id)
                self.book.survivors += left
                promise.seen = reply.json()["status"]
                promise.dismissed = True
                break
            if reply is not None and reply.status not in (202, 412):
                self.book.wrong.append(f"DELETE {promise.job_id}: {reply.status} {reply.data[:300]!r}")
            time.sleep(0.05)
        self.ended.append(promise)

    def remove_one(self) -> None:
        """Remove a job that has ended."""
        candidates = [each for each in self.ended if not each.removed]
        if not candidates:
            return
        promise = self.chance.choice(candidates)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, etag = self.status(promise)
            if status is None:
                break
            reply = self.ask("DELETE", f"/jobs/{promise.job_id}", If_Match=etag)
            if reply is not None and reply.status == 200:
                break
            if reply is not None and reply.status not in (404, 412):
                self.book.wrong.append(f"DELETE {promise.job_id}: {reply.status} {reply.data[:300]!r}")
        promise.removed = True


def deploy(url: str) -> None:
    """The package that clients run."""
    client = Client(url, Book(), random.Random())
    headers = {"Content_Type": CWL}
    reply = client.insist("POST", "/processes?w=upper", UPPER, **headers)
    assert reply.status in (201, 409), reply.data
