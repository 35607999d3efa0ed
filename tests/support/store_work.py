"""Real work in a job store, of a process of its own: python store_work.py HOME MARK. What it promises it says there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from support.stores import begin, create, new_job

from geomill.app.engine.publishing import publish
from geomill.jobstore import JobStore, Status, folders
from geomill.jobstore.records import now, timestamp
from geomill.processes.deployed import Deployed, Version
from geomill.processes.packages import Packages

FILES = {"a.txt": b"the first output\n" * 20, "b.txt": b"the second output\n" * 9}


class Work:
    """The steps of a store's life, one after the other."""

    def __init__(self, home: Path, mark: Path) -> None:
        self.store = JobStore(home, mark.parent / "run")
        self.deployed = Deployed(home / "default" / "processes", home / "packages")
        self.packages = Packages(home / "packages", 10)
        self._mark = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def promise(self, what: str, **more: Any) -> None:
        """Say what a client has been told."""
        os.write(self._mark, json.dumps({"is": what, **more}).encode())

    def close(self) -> None:
        """Promise nothing more."""
        os.close(self._mark)

    def accept(self, root: str | None = None, **more: Any) -> str:
        """An asynchronous job: 201. root: of the addresses in its callbacks, if it has any."""
        job_id = create(self.store, root=root, **more)
        self.promise("accepted", job=job_id, root=root)
        return job_id

    def run(self, job_id: str, files: dict[str, bytes], promised: str | None = None) -> None:
        """A job's life, as its supervisor writes it; promised: its client gets 201 before the end, there."""
        self.promise("begun", job=job_id)
        begin(self.store, job_id)
        folder = self.store.folder(job_id)
        folders.begin_anew(folder)
        (folder / "log").write_bytes(b"hello\n")
        (folder / "work" / "deep").mkdir(parents=True)
        results: dict[str, Any] = {"value": {"value": 42, "media_type": "application/json"}}
        for name, content in files.items():
            (folder / "work" / "deep" / name).write_bytes(content)
            results[name[0]] = {"file": str(folder / "work" / "deep" / name), "media_type": "text/plain"}
        self.store.report(job_id, 10, "under way")
        if promised == "running":
            self.oblige(job_id)
        self.store.report(job_id, 50, "half way")
        durable = self.store.read_status(job_id).durable
        publish(folder, results, durable=durable)
        if promised == "published":
            self.oblige(job_id)
        folders.clear(folder, keep=False)
        info = self.store.move(job_id, Status.SUCCESSFUL, settled=durable, progress=100)
        if info.durable:
            self.promise("successful", job=job_id, files=sorted(files))

    def oblige(self, job_id: str) -> None:
        """A synchronous job becomes asynchronous: 201."""
        self.store.make_durable(job_id)
        self.promise("accepted", job=job_id, root=self.store.callbacks.root(job_id))

    def version(self, number: int) -> Version:
        """A package, kept."""
        description = {"version": f"{number}.0.0", "inputs": {}, "outputs": {}}
        record = {"media_type": "text/plain", "processes": [{"function": "main", "description": description}]}
        package = self.deployed.keep(f"package {number}".encode(), b"cwlVersion: v1.2", record)
        return Version(f"{number}.0.0", package, "main", "cwl", timestamp(now()))

    def deploy(self) -> None:
        """Deploy, replace, undeploy."""
        self.deployed.deploy("stays", self.version(1))
        self.promise("deployed", process="stays", version="1.0.0")
        self.deployed.replace("stays", self.version(2))
        self.promise("deployed", process="stays", version="2.0.0")
        self.deployed.deploy("goes", self.version(1))
        self.promise("deployed", process="goes", version="1.0.0")
        self.promise("undeploying", process="goes")
        self.deployed.undeploy("goes")
        self.promise("undeployed", process="goes")
        self.packages.keep(b"def f(): ...")

    def remove(self, job_id: str) -> None:
        """DELETE of a job that has ended."""
        self.promise("removing", job=job_id)
        self.store.remove(job_id)
        self.promise("removed", job=job_id)

    def dismiss(self, job_id: str) -> None:
        """DELETE of a job that waits."""
        self.promise("begun", job=job_id)
        self.store.ask_dismissal(job_id)
        self.promise("dismissed", job=job_id)


def main(home: Path, mark: Path) -> None:
    """All of it."""
    work = Work(home, mark)
    waiting = work.accept(owner="ada", root="http://ada.example/")
    once = work.accept(key="once")
    work.run(once, FILES)
    sync = create(work.store, durable=False)
    work.run(sync, FILES)
    for when in ("running", "published"):
        work.run(create(work.store, durable=False, root=f"http://{when}.example/"), FILES, promised=when)
    work.run(create(work.store, durable=False), {}, promised="published")
    failed = work.accept()
    work.promise("begun", job=failed)
    begin(work.store, failed)
    work.store.move(failed, Status.FAILED, cause="exception", message="it broke")
    work.promise("failed", job=failed)
    work.deploy()
    work.dismiss(work.accept())
    work.remove(once)
    work.run(work.accept(key="once"), {"a.txt": FILES["a.txt"]})
    work.remove(failed)
    work.store.create(new_job(key="again"), b'{"inputs":{"text":"hello"}}')
    work.accept(key="last")
    work.dismiss(waiting)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
