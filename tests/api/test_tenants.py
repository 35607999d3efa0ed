"""Each tenant has the server to itself at /<tenant>/ogc-api: how one comes to be, and that none sees another's jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from geomill.app import create_app, tenant_names
from geomill.app.addresses import resolve
from geomill.app.config import Settings, SettingsError
from geomill.app.server import Geomill
from geomill.app.tenant_names import OF_VIEWS, RESERVED

JOB = "0191b8a0-0000-7000-8000-000000000000"
ADD = "/processes/add/execution"
ECHO = "/acme/ogc-api/processes/echo/execution"
ASYNC = {"Prefer": "respond-async"}
HELLO: dict[str, Any] = {"inputs": {"echoInput": "hello"}}
NAMES = 'at most 40 lower case letters, digits, "-" and "_", first a letter or digit'


@pytest.mark.parametrize(
    "path, tenant, prefix, view",
    [
        ("", "default", "", "/"),
        ("/jobs", "default", "", "/jobs"),
        ("/ogc-api", "default", "/ogc-api", "/"),
        ("/ogc-api/jobs", "default", "/ogc-api", "/jobs"),
        ("/ogc-api/processes/ogc-api", "default", "/ogc-api", "/processes/ogc-api"),
        ("/default/ogc-api/jobs", "default", "/default/ogc-api", "/jobs"),
        ("/acme/ogc-api", "acme", "/acme/ogc-api", "/"),
        ("/acme/ogc-api/jobs/x", "acme", "/acme/ogc-api", "/jobs/x"),
        ("/acme/ogc-api/processes/ogc-api", "acme", "/acme/ogc-api", "/processes/ogc-api"),
        ("/acme/jobs", "default", "", "/acme/jobs"),
        ("/acme/ogc-apis", "default", "", "/acme/ogc-apis"),
        ("/processes/ogc-api", "default", "", "/processes/ogc-api"),
        ("/jobs/ogc-api/results", "default", "", "/jobs/ogc-api/results"),
        ("/Acme/ogc-api/jobs", "Acme", "", "/Acme/ogc-api/jobs"),
        ("/packages/ogc-api/jobs", "packages", "", "/packages/ogc-api/jobs"),
        ("/caf\xc3\xa9/ogc-api", "café", "", "/caf\xc3\xa9/ogc-api"),
        (f"/acme/temp/a-b-{JOB}/node_crop_2.log", "acme", "/acme/ogc-api", f"/jobs/{JOB}/logs/node_crop_2.log"),
        (f"/temp/water-bodies-{JOB}/node_otsu.log", "default", "", f"/jobs/{JOB}/logs/node_otsu.log"),
        (f"/acme/temp/water-bodies-{JOB}/secret.json", "default", "", f"/acme/temp/water-bodies-{JOB}/secret.json"),
        (f"/temp/{JOB}/a.log", "default", "", f"/temp/{JOB}/a.log"),
        (f"/jobs/temp/x-{JOB}/a.log", "default", "", f"/jobs/temp/x-{JOB}/a.log"),
        (f"/Acme/temp/x-{JOB}/a.log", "Acme", "", f"/Acme/temp/x-{JOB}/a.log"),
    ],
)
def test_an_address_names_a_tenant_and_a_view(path: str, tenant: str, prefix: str, view: str) -> None:
    assert resolve(path) == (tenant, prefix, view)


def test_what_an_address_can_begin_with_is_no_tenant(app: Geomill) -> None:
    first = {rule.rule.split("/")[1] for rule in app.url_map.iter_rules()} - {""}
    assert first <= OF_VIEWS <= RESERVED


def test_the_folders_of_a_home_are_no_tenants(worker: FlaskClient, working: Geomill) -> None:
    assert worker.post(ECHO, json=HELLO).status_code == 200
    kept = {path.name for path in working.settings.home.iterdir()}
    assert {"default", "acme", "packages", "runtime"} <= kept
    assert {name for name in kept if tenant_names.is_name(name)} == {"default", "acme"}


@pytest.mark.parametrize("path", ["/", "/processes", "/jobs", "/processes/echo"])
def test_links_keep_the_tenant(settings: Settings, path: str) -> None:
    client = create_app(replace(settings, tenants=("acme",))).test_client()
    for prefix in ("/acme/ogc-api", "/acme//ogc-api/"):
        answer = client.get(prefix + path)
        hrefs = [link["href"] for link in answer.json["links"] if link["rel"] != "profile"]
        assert hrefs and all(href.startswith("http://localhost/acme/ogc-api") for href in hrefs)


def test_a_job_is_followed_in_its_tenant(worker: FlaskClient, working: Geomill) -> None:
    accepted = worker.post(ECHO, json=HELLO, headers=ASYNC)
    here = f"http://localhost/acme/ogc-api/jobs/{accepted.json['jobID']}"
    assert accepted.headers["Location"] == here
    assert working.tenants.get("acme").engine.run(accepted.json["jobID"], 20).status.final
    status = worker.get(here).json
    assert all(link["href"].startswith("http://localhost/acme/ogc-api/jobs") for link in status["links"])
    assert worker.get(f"{here}/results").json["echoInput"] == "hello"
    assert worker.get(f"{here}/logs").status_code == 200
    assert worker.get("/acme/ogc-api/api?f=json").json["servers"] == [{"url": "http://localhost/acme/ogc-api"}]
    assert worker.delete(here).json["links"][0]["href"] == "http://localhost/acme/ogc-api/jobs"


def test_a_public_url_is_before_the_tenant(settings: Settings) -> None:
    app = create_app(replace(settings, public_url="https://example.org/geo", tenants=("acme",)))
    links = app.test_client().get("/acme/ogc-api/jobs").json["links"]
    assert links[0]["href"] == "https://example.org/geo/acme/ogc-api/jobs"


def test_the_prefix_of_a_proxy_is_before_the_tenant(settings: Settings) -> None:
    app = create_app(replace(settings, trust_proxy=True, tenants=("acme",)))
    links = app.test_client().get("/acme/ogc-api/jobs", headers={"X-Forwarded-Prefix": "/geo"}).json["links"]
    assert links[0]["href"] == "http://localhost/geo/acme/ogc-api/jobs"


@pytest.fixture
def plain(settings: Settings) -> FlaskClient:
    """A client of a server without tenants, which holds no answer against the definition: that is of a tenant."""
    return create_app(settings).test_client()


def refused(client: FlaskClient, path: str, method: str = "GET") -> str:
    """What a 404 says that names a tenant; what its type means can be read."""
    answer = client.open(path, method=method, json=HELLO if method == "POST" else None)
    assert answer.status_code == 404 and answer.json
    assert answer.json["type"].endswith("/problems/no-such-tenant")
    assert client.get(answer.json["type"]).json["title"] == "No such tenant"
    return str(answer.json["detail"])


@pytest.mark.parametrize("path", ["", "/processes", "/jobs", f"/jobs/{JOB}", "/api", "/conformance", "/nowhere"])
def test_a_tenant_that_is_not_there_is_not_made_by_reading(plain: FlaskClient, settings: Settings, path: str) -> None:
    told = refused(plain, f"/acme/ogc-api{path}")
    assert told.startswith("There is no tenant 'acme'. Name it in the setting `tenants`")
    assert not (settings.home / "acme").exists()


def test_a_post_makes_a_tenant_where_the_server_is_local(plain: FlaskClient, settings: Settings) -> None:
    assert plain.post(ECHO, json=HELLO, headers=ASYNC).status_code == 201
    assert (settings.home / "acme" / "jobs").is_dir()
    assert len(plain.get("/acme/ogc-api/jobs").json["jobs"]) == 1


def test_a_server_whose_tenants_are_named_makes_no_other(settings: Settings) -> None:
    client = create_app(replace(settings, tenants=("hydro",))).test_client()
    assert client.post(ECHO, json=HELLO, headers=ASYNC).status_code == 404
    assert not (settings.home / "acme").exists()


def test_a_tenant_that_one_server_made_is_there_for_others(plain: FlaskClient, settings: Settings) -> None:
    other = create_app(settings).test_client()
    refused(other, "/acme/ogc-api/jobs")
    plain.post(ECHO, json=HELLO, headers=ASYNC)
    assert len(other.get("/acme/ogc-api/jobs").json["jobs"]) == 1


def test_requests_that_come_at_the_same_time_make_one_tenant(settings: Settings) -> None:
    app = create_app(settings)
    begin = threading.Barrier(16)

    def post(_: int) -> int:
        begin.wait()
        return app.test_client().post(ECHO, json=HELLO, headers=ASYNC).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(post, range(16))) == {201}
    assert len(app.test_client().get("/acme/ogc-api/jobs").json["jobs"]) == 16


@pytest.mark.parametrize(
    "method, path, headers",
    [
        ("DELETE", f"/acme/ogc-api/jobs/{JOB}", {}),
        ("POST", "/acme/ogc-api/nowhere", {}),
        ("POST", "/acme/ogc-api/jobs", {}),
        ("POST", ECHO, {"Origin": "https://example.org"}),
        ("POST", ECHO, {"Host": "example.org"}),
    ],
)
def test_a_request_that_is_refused_anyway_makes_no_tenant(
    plain: FlaskClient, settings: Settings, method: str, path: str, headers: dict[str, str]
) -> None:
    assert plain.open(path, method=method, json=HELLO, headers=headers).status_code in (403, 404, 421)
    assert not (settings.home / "acme").exists()


def test_a_server_that_is_not_local_makes_no_tenant(settings: Settings) -> None:
    client = create_app(replace(settings, host="0.0.0.0", tenants=("declared",))).test_client()
    assert client.post(ECHO, json=HELLO).status_code == 403
    assert not (settings.home / "acme").exists()
    refused(client, "/acme/ogc-api/jobs")
    assert client.get("/declared/ogc-api/jobs").status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "name, told",
    [
        ("Acme", f"No tenant can be called 'Acme': a name has {NAMES}."),
        ("-acme", f"No tenant can be called '-acme': a name has {NAMES}."),
        ("a.b", f"No tenant can be called 'a.b': a name has {NAMES}."),
        ("..", f"No tenant can be called '..': a name has {NAMES}."),
        ("a" * 41, f"No tenant can be called '{'a' * 41}': a name has {NAMES}."),
        ("café", f"No tenant can be called 'café': a name has {NAMES}."),
        ("packages", "No tenant can be called 'packages': the name is reserved."),
        ("runtime", "No tenant can be called 'runtime': the name is reserved."),
    ],
)
def test_what_cannot_be_a_name_is_refused(
    plain: FlaskClient, settings: Settings, name: str, told: str, method: str
) -> None:
    before = {*settings.home.iterdir(), settings.home / "identity"}  # where the audit log has it
    assert refused(plain, f"/{name}/ogc-api/processes/echo/execution", method) == told
    assert {*settings.home.iterdir()} <= before


@pytest.mark.parametrize("name", ["Acme", "jobs", "packages", "temp", "a/b", ""])
def test_a_declared_tenant_has_a_name_that_is_allowed(name: str) -> None:
    with pytest.raises(SettingsError, match=f"^--tenants: expected names of {NAMES}, but for admin, api,"):
        Settings.load({}, {"tenants": ["acme", name]})


def test_tenants_are_declared_with_commas_between() -> None:
    assert Settings.load({"HOME": "/ann", "GEOMILL_TENANTS": "acme, zeta_2"}).tenants == ("acme", "zeta_2")


# ---- what is one's own


@pytest.fixture
def tenant(worker: FlaskClient) -> Callable[[str], str]:
    """The prefix of a tenant that is there."""

    def make(name: str) -> str:
        assert worker.post(f"/{name}/ogc-api{ADD}", json={"inputs": {"a": 1}}).status_code == 200
        return f"/{name}/ogc-api"

    return make


@pytest.mark.parametrize("path", ["", "/results", "/results/result", "/results/result/0", "/logs"])
def test_a_job_is_there_for_its_tenant_alone(worker: FlaskClient, tenant: Callable[[str], str], path: str) -> None:
    acme, zeta = tenant("acme"), tenant("zeta")
    job = worker.get(f"{acme}/jobs?limit=1").json["jobs"][0]["jobID"]
    for other in (zeta, "", "/ogc-api", "/default/ogc-api"):
        answer = worker.get(f"{other}/jobs/{job}{path}", headers={"Accept": "*/*"})
        assert answer.status_code == 404 and answer.json["type"].endswith("no-such-job")
        assert worker.delete(f"{other}/jobs/{job}").status_code == 404
    assert worker.get(f"{acme}/jobs/{job}").status_code == 200


def test_a_list_shows_the_jobs_of_its_tenant_alone(worker: FlaskClient, tenant: Callable[[str], str]) -> None:
    lists = [worker.get(f"{prefix}/jobs").json["jobs"] for prefix in (tenant("acme"), tenant("zeta"), "")]
    acme, zeta, default = ({job["jobID"] for job in jobs} for jobs in lists)
    assert acme and zeta and not acme & zeta and not (acme | zeta) & default


def test_the_default_tenant_has_three_addresses(worker: FlaskClient) -> None:
    job = worker.post(f"/default/ogc-api{ADD}", json={"inputs": {"a": 1}}, headers=ASYNC).json["jobID"]
    for prefix in ("", "/ogc-api", "/default/ogc-api"):
        assert worker.get(f"{prefix}/jobs/{job}").status_code == 200


def test_a_key_is_of_one_tenant(worker: FlaskClient) -> None:
    headers = {"Idempotency-Key": "the same", **ASYNC}
    jobs = [
        worker.post(f"{prefix}{ADD}", json={"inputs": {"a": a}}, headers=headers).json["jobID"]
        for prefix, a in (("/acme/ogc-api", 1), ("/zeta/ogc-api", 2), ("/acme/ogc-api", 1))
    ]
    assert jobs[0] == jobs[2] != jobs[1]


def test_one_tenant_fills_no_queue_of_another(settings: Settings) -> None:
    client = create_app(replace(settings, max_queued=1)).test_client()
    assert [
        client.post(f"{prefix}/processes/echo/execution", json=HELLO, headers=ASYNC).status_code
        for prefix in ("/acme/ogc-api", "/acme/ogc-api", "/zeta/ogc-api", "")
    ] == [201, 503, 201, 201]


def test_a_step_log_is_looked_for_in_the_job_of_that_tenant(plain: FlaskClient) -> None:
    answer = plain.get(f"/temp/water-bodies-{JOB}/node_crop.log")
    assert answer.status_code == 404
    assert refused(plain, f"/acme/temp/water-bodies-{JOB}/node_crop.log")


def test_an_index_that_is_made_anew_is_that_of_its_tenant(app: Geomill) -> None:
    """Names that begin alike share no file."""
    client = app.test_client()
    for name in ("acme", "acme-0123456789ab", "acme-2"):
        client.post(f"/{name}/ogc-api/processes/echo/execution", json=HELLO, headers=ASYNC)
    before = {name: files_of(app, name) for name in ("acme-0123456789ab", "acme-2")}
    (app.settings.runtime_dir / "acme.stale").touch()
    assert len(client.get("/acme/ogc-api/jobs").json["jobs"]) == 1
    for name, files in before.items():
        assert files and files_of(app, name) == files


def files_of(app: Geomill, name: str) -> list[Path]:
    return sorted(app.settings.runtime_dir.glob(f"{name}.*sqlite"))
