"""What `geomill jobs` shows of jobs that a store has: owners, causes, what has expired; and of which tenant."""

import json
from dataclasses import replace

import pytest
from support.stores import bring_to, create, succeed

from geomill.app.addresses import of_tenant
from geomill.app.config import Settings
from geomill.app.engine.client import open_store
from geomill.client import show
from geomill.jobstore import Status
from geomill.jobstore.retention import AGE


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The store of the home that the commands of this test work on."""
    monkeypatch.setenv("GEOMILL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GEOMILL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("GEOMILL_TENANTS", "acme")
    return open_store(Settings.load())


def test_a_list_says_whose_jobs_are_if_they_are_anybodys(store, geomill):
    create(store)
    (row,) = geomill("jobs", "ls").stdout.splitlines()
    assert row.split()[1:3] == ["echo", "accepted"]
    create(store, owner="ann")
    rows = geomill("jobs", "ls").stdout.splitlines()
    assert [row.split()[1:3] for row in rows] == [["echo", "ann"], ["echo", "accepted"]]
    assert rows[0].index("accepted") == rows[1].index("accepted")


@pytest.mark.parametrize("owner", ["ann", ""])
def test_jobs_of_one_owner_are_listed(store, geomill, owner):
    jobs = {name: create(store, owner=name) for name in ("ann", "ben", "")}
    listed = json.loads(geomill("jobs", "ls", "--owner", owner, "--json").stdout)
    assert [job["jobID"] for job in listed] == [jobs[owner]]


def test_a_job_that_failed_says_of_what(store, geomill):
    job_id = create(store, owner="ann")
    bring_to(store, job_id, Status.FAILED)
    shown = dict(line.split(maxsplit=1) for line in geomill("jobs", "show", job_id).stdout.splitlines())
    assert (shown["cause"], shown["owner"], shown["message"]) == ("exception", "ann", "it broke")


def test_what_has_expired_or_is_pinned_is_marked(store, geomill):
    plain, pinned, expired = (create(store) for _ in range(3))
    for job_id in (plain, pinned, expired):
        succeed(store, job_id)
    assert "pinned" not in geomill("jobs", "ls").stdout
    store.pin(pinned, True)
    store.expire(expired, AGE)
    rows = {row.split()[0]: row.split() for row in geomill("jobs", "ls").stdout.splitlines()}
    assert (rows[expired][5], rows[pinned][5]) == ("expired", "pinned")
    assert rows[plain][5].startswith("20")  # when it was created


def test_jobs_of_a_tenant_are_shown_without_a_server(store, geomill):
    job_id = create(open_store(Settings.load(), "acme"))
    bring_to(open_store(Settings.load(), "acme"), job_id, Status.FAILED)
    assert geomill("jobs", "ls").stdout == ""
    assert job_id in geomill("jobs", "ls", "--tenant", "acme").stdout
    assert "it broke" in geomill("jobs", "show", job_id, "--tenant", "acme").stdout
    assert geomill("jobs", "show", job_id).exit_code == 1
    refused = geomill("jobs", "ls", "--tenant", "none")
    assert (refused.exit_code, refused.stderr) == (1, "Error: There is no tenant 'none'.\n")


def test_jobs_of_a_tenant_are_asked_of_a_server_below_its_address(stranger, geomill):
    server = stranger(prefix="/acme/ogc-api")
    server.jobs["j1"] = 2
    root = server.url.removesuffix("/acme/ogc-api")
    for url in (root, f"{root}/", f"{root}/ogc-api", server.url):
        assert "j1" in geomill("jobs", "show", "j1", "--tenant", "acme", "--server", url).stdout
    refused = geomill("jobs", "show", "j1", "--tenant", "zeta", "--server", server.url)
    assert refused.exit_code == 2 and "is the address of tenant 'acme', not of 'zeta'" in refused.stderr


@pytest.mark.parametrize(
    "url, found",
    [
        ("https://geo.example.org", "https://geo.example.org/acme/ogc-api"),
        ("https://geo.example.org/mill/", "https://geo.example.org/mill/acme/ogc-api"),
        ("https://geo.example.org/ogc-api", "https://geo.example.org/acme/ogc-api"),
        ("https://geo.example.org/mill/acme/ogc-api/", "https://geo.example.org/mill/acme/ogc-api"),
    ],
)
def test_a_tenant_has_an_address_below_that_of_the_server(url, found):
    assert of_tenant(url, "acme") == found


def test_a_process_is_executed_for_a_tenant(shell, place):
    done = shell("processes", "execute", "count", "-i", "to=1", "--tenant", "acme", GEOMILL_TENANTS="acme")
    assert (done.returncode, done.stdout) == (0, "result  1\n"), done.stderr
    job_id = done.stderr.splitlines()[0].removeprefix("Job ")
    store = open_store(replace(Settings.load(place), tenants=("acme",)), "acme")
    assert store.status(job_id).status is Status.SUCCESSFUL


def test_a_service_that_names_neither_owner_nor_state_is_shown():
    assert show.job_rows([{"id": "a"}]) == [["a", None, None, "", "", ""]]
