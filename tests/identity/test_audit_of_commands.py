"""What commands and the dispatcher change on this host is in the audit log: what, by which rule, and who."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click.testing
import pytest
from support.mills import dispatching
from support.stores import create, succeed
from support.waiting import until

from geomill.app.cli import main
from geomill.app.config import Settings
from geomill.app.engine.client import open_store
from geomill.app.tenant_names import DEFAULT
from geomill.jobstore import JobStore, files
from geomill.jobstore.records import dump, now

ME = pwd.getpwuid(os.getuid()).pw_name
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of the commands of a test."""
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GEOMILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("GEOMILL_KEEP", "2 d")
    monkeypatch.setenv("GEOMILL_KEEP_DISK", "never")
    monkeypatch.delenv("SUDO_USER", raising=False)
    return Settings.load()


@pytest.fixture
def store(here: Settings) -> JobStore:
    return open_store(here)


@pytest.fixture
def lines(here: Settings) -> Lines:
    """What is in the log, without the time."""

    def read() -> list[dict[str, Any]]:
        path = here.home / "identity/audit.jsonl"
        found = [json.loads(each) for each in path.read_text().splitlines()] if path.exists() else []
        return [each for each in found if each.pop("time")]

    return read


def give(*arguments: str, status: int = 0, warned: str = "") -> str:
    """Give a command. warned: what standard error begins with."""
    done = click.testing.CliRunner().invoke(main, arguments)
    assert done.exit_code == status and done.stderr.startswith(warned), done.output
    return done.stdout


def old(store: JobStore) -> str:
    """A job that ended long ago: the clock of retention begins two days back."""
    job_id = create(store, owner="ann")
    succeed(store, job_id)
    then = now() - timedelta(days=9)
    status = dump(store.read_status(job_id))
    status |= {name: then.isoformat() for name in ("created", "started", "finished")}
    files.write_json(store.folder(job_id) / "status.json", status, durable=False)
    store.index.doubt()  # it is made anew
    store.index.put(store.read_status(job_id))
    return job_id


def test_maintenance_is_noted_once_with_who_began_it(store: JobStore, lines: Lines) -> None:
    give("drain", "--off")
    give("drain", "--message", "Back at noon.")
    give("drain", "--wait")
    give("drain", "--off")
    local = {"by": "local", "user": ME}
    assert lines() == [
        {**local, "operation": "drain", "message": "Back at noon."},
        {**local, "operation": "endDrain"},
    ]


def test_who_came_by_sudo_is_named(store: JobStore, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")
    give("token", "create", "--name", "ann", "--role", "reader")
    assert lines() == [{"by": "local", "user": ME, "sudo": "olga", "operation": "createToken", "name": "ann"}]


def test_a_change_of_a_job_by_a_command_has_its_user(store: JobStore, lines: Lines) -> None:
    job_id = create(store)
    give("jobs", "dismiss", job_id)
    (line,) = lines()
    assert (line["by"], line["user"], line["operation"], line["job"]) == ("local", ME, "dismiss", job_id)


def test_a_backup_and_a_repair_are_noted(store: JobStore, lines: Lines, tmp_path: Path) -> None:
    give("backup", str(tmp_path / "copy.tar"))
    give("fsck", "--repair")
    job_id = create(store)
    (store.folder(job_id) / "results.json").write_text("{torn")
    (store.jobs / "0000000" / "no-job").mkdir(parents=True)
    give("fsck", "--repair", status=1)
    backup, repair = lines()
    assert (backup["operation"], backup["name"]) == ("backup", str(tmp_path / "copy.tar"))
    assert repair["operation"] == "repair" and repair["message"].endswith("findings mended")


def test_what_a_command_lets_expire_is_noted_with_its_rule(store: JobStore, here: Settings, lines: Lines) -> None:
    job_id, other = old(store), old(open_store(here, "acme"))
    assert f"job {job_id}  of {DEFAULT}" in give(
        "jobs", "gc", "--dry-run", warned="By keep = 2 d, keep_disk = never, keep_status = 365 d, keep_uploads = 1 d\n"
    )
    assert lines() == []
    give("jobs", "gc")
    local = {"by": "local", "user": ME, "operation": "expire", "rule": "keep = 2 d"}
    assert sorted(lines(), key=lambda line: line["tenant"]) == [
        {**local, "tenant": "acme", "job": other},
        {**local, "tenant": DEFAULT, "job": job_id},
    ]


def test_what_the_dispatcher_lets_expire_is_noted(store: JobStore, here: Settings, lines: Lines) -> None:
    job_id = old(store)
    with dispatching(here):
        until(lambda: store.read_status(job_id).expired is not None, 20)
        until(lines)
    (line,) = lines()
    assert line == {
        "by": "dispatcher", "operation": "expire", "tenant": DEFAULT, "job": job_id, "rule": "keep = 2 d",
    }  # fmt: skip
