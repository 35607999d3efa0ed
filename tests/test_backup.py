"""`geomill backup` of a home at work: what was accepted before is in it, whole, and it is restored anywhere."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.packages import OGC, docker
from support.stores import REQUEST, begin, bring_to, create, new_job, succeed

from geomill.app import create_app
from geomill.app.cli import main
from geomill.app.config import Settings
from geomill.app.credentials import FILE, Credential, Credentials
from geomill.app.engine.client import open_store
from geomill.app.engine.publishing import publish
from geomill.app.fsck import check_home
from geomill.jobstore import Filters, JobStore, Status, folders, home


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", runtime_dir=tmp_path / "run")


def backup(settings: Settings, target: Path) -> str:
    """What the command says."""
    given = {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
    done = CliRunner().invoke(main, ["backup", str(target)], env=given)
    assert done.exit_code == 0, done.output
    return done.output


def restore(target: Path, place: Path) -> Settings:
    """As the documentation says."""
    place.mkdir()
    subprocess.run(["tar", "-xpf", target, "-C", place], check=True)
    return Settings(home=place, runtime_dir=place.with_name(f"{place.name}-run"))


def finished(store: JobStore, content: bytes = b"four") -> str:
    """A successful job with a file."""
    job_id = create(store)
    begin(store, job_id)
    work = store.folder(job_id) / "work"
    work.mkdir()
    (work / "a.txt").write_bytes(content)
    publish(store.folder(job_id), {"a": {"file": str(work / "a.txt"), "media_type": "text/plain"}}, durable=False)
    folders.clear(store.folder(job_id), keep=False)
    store.move(job_id, Status.SUCCESSFUL)
    return job_id


def test_what_is_in_a_home_is_in_its_backup_and_is_restored(settings: Settings, tmp_path: Path) -> None:
    app = create_app(settings)
    assert app.test_client().post("/processes", data=docker("mine"), content_type=OGC).status_code == 201
    assert app.test_client().post("/acme/ogc-api/processes", data=docker("theirs"), content_type=OGC).status_code == 201
    store, other = app.jobs, app.tenants.get("acme").jobs
    done, waiting, running, failed = finished(store), create(store, key="once"), create(store), create(other)
    begin(store, running)
    (store.folder(running) / "work").mkdir()
    (store.folder(running) / "work" / "large").write_bytes(b"x" * 1_000_000)
    bring_to(other, failed, Status.FAILED)
    said = backup(settings, tmp_path / "b.tar")
    assert said.startswith("4 jobs, 2 deployed processes, ")
    assert stat.S_IMODE((tmp_path / "b.tar").stat().st_mode) == 0o600
    assert (tmp_path / "b.tar").stat().st_size < 500_000, "scratch is not worth keeping"

    restored = restore(tmp_path / "b.tar", tmp_path / "restored")
    again = create_app(restored)
    assert again.test_client().get("/processes/mine/package").data == docker("mine")
    assert again.test_client().get("/acme/ogc-api/processes/theirs").status_code == 200
    store = again.jobs
    assert {info.job_id for info in store.list(Filters(), 9).jobs} == {done, waiting, running}
    assert store.output(done, str(store.results(done)["a"].file)).read_bytes() == b"four"
    assert (store.status(running).status, store.status(running).cause) == (Status.FAILED, "lost")
    assert store.status(waiting).status is Status.ACCEPTED
    assert store.create(new_job(key="once"), REQUEST).job_id == waiting
    assert again.tenants.get("acme").jobs.status(failed) == other.status(failed)
    assert check_home(store) == []


def test_rights_and_times_are_those_of_the_home(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    finished(store)
    backup(settings, tmp_path / "b.tar")
    restored = restore(tmp_path / "b.tar", tmp_path / "restored").home
    there = {path.relative_to(restored) for path in restored.rglob("*")}
    assert there
    for path in there - {Path(home.MARK)}:
        one, two = (settings.home / path).lstat(), (restored / path).lstat()
        assert one.st_mode == two.st_mode, path
        assert abs(one.st_mtime - two.st_mtime) < 0.01 or stat.S_ISDIR(one.st_mode)
    left_out = {path.relative_to(settings.home) for path in settings.home.rglob("*")} - there
    begun = {"identity", "audit.jsonl"}  # with this backup
    assert {path.name for path in left_out} <= {"runtime", ".lock", *begun}


def test_another_host_may_serve_what_was_restored(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(open_store(settings))
    backup(settings, tmp_path / "b.tar")
    restored = restore(tmp_path / "b.tar", tmp_path / "restored")
    monkeypatch.setattr(home, "host", lambda: "another")
    monkeypatch.setattr("geomill.jobstore.alive._boot_id", "of another")
    assert len(open_store(restored).list(Filters(), 9).jobs) == 1


@contextmanager
def at_work(store: JobStore) -> Iterator[list[str]]:
    """Jobs come, end and go meanwhile: those that were removed."""
    over, gone = threading.Event(), list[str]()

    def work() -> None:
        for number in itertools.count():
            if over.is_set():
                return
            job_id = finished(store, b"x" * number) if number % 2 else create(store, key=str(number))
            if number % 3 == 0:
                if number % 2 == 0:
                    store.ask_dismissal(job_id)
                store.remove(job_id)
                gone.append(job_id)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield gone
    finally:
        over.set()
        thread.join()


def test_jobs_that_come_and_go_meanwhile_are_whole_or_left_out(settings: Settings, tmp_path: Path) -> None:
    store = open_store(settings)
    before = [finished(store, b"before") for _ in range(20)] + [create(store) for _ in range(20)]
    removed = [finished(store) for _ in range(40)]
    ending = [create(store) for _ in range(40)]

    def change() -> None:
        for one, other in zip(removed, ending, strict=True):
            store.remove(one)
            succeed(store, other)

    changing = threading.Thread(target=change)
    with at_work(store):
        changing.start()
        backup(settings, tmp_path / "b.tar")
        changing.join()
    assert not list(settings.home.glob(".backup-*"))
    restored = open_store(restore(tmp_path / "b.tar", tmp_path / "restored"))
    there = set(restored.walk())
    assert set(before) | set(ending) <= there
    for job_id in there:
        info = restored.read_status(job_id)
        assert info.cause is None and restored.request(job_id) == REQUEST
        if info.status is Status.SUCCESSFUL:
            restored.results(job_id)
    restored.list(Filters(), 1)
    assert [finding for finding in check_home(restored) if "live supervisor" not in finding.promise] == []


def test_a_backup_goes_to_a_pipe(settings: Settings, tmp_path: Path) -> None:
    job_id = create(open_store(settings))
    given = {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
    done = CliRunner().invoke(main, ["backup", "-"], env=given)
    (tmp_path / "b.tar").write_bytes(done.stdout_bytes)
    with tarfile.open(tmp_path / "b.tar") as tar:
        assert any(name.endswith(f"{job_id}/job.json") for name in tar.getnames())


@pytest.mark.parametrize("place, words", [("home/b.tar", "is in the home"), ("there.tar", "is there already")])
def test_a_target_that_cannot_be_is_refused(settings: Settings, tmp_path: Path, place: str, words: str) -> None:
    open_store(settings)
    (tmp_path / "there.tar").touch()
    given = {"GEOMILL_HOME": str(settings.home), "GEOMILL_RUNTIME_DIR": str(settings.runtime_dir)}
    done = CliRunner().invoke(main, ["backup", str(tmp_path / place)], env=given)
    assert done.exit_code == 1 and words in done.output
    assert not os.path.exists(settings.home / "b.tar")


def test_credentials_come_along_and_stay_secret(settings: Settings, tmp_path: Path) -> None:
    open_store(settings)
    theirs = open_store(settings, "acme")
    known = Credential("host", "example.org", "bearer", secret="s3cr3t")
    Credentials(settings.home / theirs.tenant / FILE).add(known)
    backup(settings, tmp_path / "b.tar")
    restored = Credentials(restore(tmp_path / "b.tar", tmp_path / "other").home / "acme" / FILE)
    assert restored.all() == {"host": known}  # which is read only from a file of ours that is for nobody else
