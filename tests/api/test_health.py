"""For load balancers and monitors: what is wrong is named, and told to nobody whom it is not for."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from support.stores import create
from test_docs import OPERATING, names, table

from geomill.app import create_app
from geomill.app.config import Settings
from geomill.app.identity.roles import Role
from geomill.app.identity.tokens import Tokens
from geomill.app.metrics.families import Families
from geomill.app.request_ids import HEADER
from geomill.app.server import Geomill
from geomill.jobstore import Status, maintenance
from geomill.jobstore.listing import repair_index

SUFFIX, KIND = {"counter": "_total", "info": "_info"}, {"info": "gauge"}


def bearer(settings: Settings, role: Role, tenant: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {Tokens(settings.home).create(f'{role}-{tenant}', role, tenant, None)}"}


def checks(client: FlaskClient, **headers: str) -> dict[str, str | None]:
    """The checks that do not pass, with what is said about them."""
    answer = client.get("/readyz", headers=headers)
    failed = {each["name"]: each.get("trouble") for each in answer.json["checks"] if not each["passed"]}
    assert answer.status_code == (503 if failed else 200)
    assert answer.json["status"] == ("not ready" if failed else "ready")
    assert answer.headers["Cache-Control"] == "no-store"
    return failed


def test_a_server_whose_jobs_run_is_ready(worker: FlaskClient, working: Geomill) -> None:
    repair_index(working.jobs)
    working.readiness._until = 0
    assert checks(worker) == {}


def spoil(app: Geomill) -> None:
    app.jobs.index.doubt()


TROUBLES: dict[str, Callable[[Geomill], object]] = {
    "home": lambda app: app.settings.home.rename(app.settings.home.with_name("away")),
    "disk": lambda app: setattr(app.readiness, "settings", replace(app.settings, min_free_bytes=1 << 60)),
    "dispatcher": lambda app: None,
    "index": spoil,
    "maintenance": lambda app: maintenance.begin(app.settings.home, "back at noon"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_what_stands_against_a_job_is_named(app: Geomill, client: FlaskClient, name: str) -> None:
    repair_index(app.jobs)
    TROUBLES[name](app)
    found = checks(client)
    assert set(found) == ({"home"} if name == "home" else {name, "dispatcher"})  # there is none
    assert all(found.values())  # a server for this host tells who is on it


def test_why_is_told_to_those_who_may_watch_alone(app: Geomill, settings: Settings) -> None:
    reader, of_one = bearer(settings, Role.READER), bearer(settings, Role.ADMIN, "default")
    for headers in ({}, of_one, {"Authorization": "Bearer none"}):
        assert set(checks(app.test_client(), **headers).values()) == {None}
    assert "No dispatcher is there" in (checks(app.test_client(), **reader)["dispatcher"] or "")


def test_a_worker_lives_whatever_is_wrong_around_it(client: FlaskClient, settings: Settings) -> None:
    settings.home.rename(settings.home.with_name("away"))
    answer = client.get("/healthz", headers={"Accept": "text/plain"})
    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_is_of_the_server_is_at_its_root_alone(settings: Settings, path: str) -> None:
    client = create_app(replace(settings, tenants=("acme",))).test_client()
    assert client.get(f"/acme/ogc-api{path}").status_code == 404
    assert client.get(path).status_code in (200, 503)


def test_metrics_are_for_callers_who_are_known_everywhere(app: Geomill, settings: Settings) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 200  # a server for this host
    reader, of_one = bearer(settings, Role.READER), bearer(settings, Role.ADMIN, "default")
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=of_one).status_code == 403
    assert client.get("/metrics", headers=reader).status_code == 200


@pytest.mark.parametrize(
    "accept, media_type",
    [
        (None, "text/plain"),
        ("*/*", "text/plain"),
        ("image/png", "text/plain"),
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "open"),
        ("application/openmetrics-text;version=a.b;escaping=x\x7f", "open"),
        ("text/plain;version=x.y, application/openmetrics-text;q=0", "text/plain"),
    ],
)
def test_metrics_are_written_as_the_client_reads_them(client: FlaskClient, accept: str | None, media_type: str) -> None:
    answer = client.get("/metrics", headers={} if accept is None else {"Accept": accept})
    parse = open_metrics if media_type == "open" else text_string_to_metric_families
    assert media_type in answer.content_type
    found = [family.name for family in parse(answer.text)]
    assert len(found) == len(set(found)) and "geomill_jobs" in found


def test_every_metric_is_in_the_table_and_alerts_ask_for_no_other(app: Geomill) -> None:
    rows = [(name, kind) for cell, kind, *_ in table(OPERATING, "| metric |") for name in names(cell)]
    found = [(f"{each.name}{SUFFIX.get(each.type, '')}", KIND.get(each.type, each.type)) for each in metrics_of(app)]
    assert sorted(rows) == sorted(found)
    asked = re.findall(r"\bgeomill_\w+", OPERATING[OPERATING.index("# geomill.rules.yml") :])
    assert asked and set(asked) <= {name for name, _ in rows}


def metrics_of(app: Geomill) -> list[Metric]:
    with app.test_request_context():
        return list(Families(app).collect())


def figures(client: FlaskClient, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by their labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [each for family in families for each in family.samples if each.name == name]
    return {tuple(value for _, value in sorted(each.labels.items())): each.value for each in samples}


def test_what_nobody_knows_is_counted_under_one_name(app: Geomill) -> None:
    client = app.test_client()
    app.test_client_class = FlaskClient
    for number in range(20):
        app.test_client().open(f"/none/{number}", method=f"ODD{number}")
        app.test_client().get(f"/jobs/{number}")
    name = "geomill_http_requests_total"
    assert figures(client, name) == {
        ("other", "none", "4xx"): 20,
        ("GET", "getStatus", "4xx"): 20,
    }
    assert figures(client, name)["GET", "getMetrics", "2xx"] == 1
    assert figures(client, "geomill_http_request_duration_seconds_count")["none",] == 20


def test_metrics_of_what_cannot_be_read_are_left_out(app: Geomill, client: FlaskClient) -> None:
    create(app.jobs)
    assert figures(client, "geomill_jobs") == {("accepted",): 1, ("running",): 0}
    path = app.jobs.index.path.with_name(app.jobs.index.incarnation)
    app.jobs.index.close()
    path.write_bytes(b"no index" * 1000)
    path.with_name(f"{path.name}-wal").unlink(missing_ok=True)
    assert figures(client, "geomill_jobs") == {}
    assert figures(client, "geomill_disk_free_bytes")[()] > 0
    repair_index(app.jobs)
    assert figures(client, "geomill_jobs") == {("accepted",): 1, ("running",): 0}
    app.settings.home.rename(app.settings.home.with_name("away"))
    app.readiness._until = 0
    assert figures(client, "geomill_disk_free_bytes") == {}
    assert figures(client, "geomill_ready")["home",] == 0


def test_jobs_of_all_tenants_are_told_together_whatever_they_are_called(settings: Settings) -> None:
    app = create_app(replace(settings, tenants=("acme",)))
    for tenant in ("default", "acme"):
        store = app.tenants.get(tenant).jobs
        repair_index(store)
        job_id = create(store, process_id='odd "name"\n{}\\')
        store.move(job_id, Status.FAILED, cause="exit")
    assert figures(app.test_client(), "geomill_jobs_ended_total") == {("exit", 'odd "name"\n{}\\', "failed"): 2}
    assert figures(app.test_client(), "geomill_job_duration_seconds_count") == {}  # none had begun


def test_requests_that_find_no_place_to_wait_are_counted(app: Geomill, client: FlaskClient) -> None:
    places, someone = app.seats.number, ("default", "ann")
    with ExitStack() as stack:
        assert all(stack.enter_context(app.seats.one(someone)) for _ in range(places))
        assert not stack.enter_context(app.seats.one(someone))
        assert figures(client, "geomill_sync_places_taken") == {(): places}
        assert figures(client, "geomill_sync_places") == {(): places}
    assert figures(client, "geomill_sync_places_taken") == {(): 0}
    assert figures(client, "geomill_sync_places_refused_total") == {(): 1}


def test_workers_count_on_when_the_runtime_directory_is_gone(app: Geomill, client: FlaskClient) -> None:
    assert client.get("/healthz").status_code == 200
    (folder := app.requests._slots.folder).rename(folder.with_name("away"))
    app.requests._slots._due = 0
    assert client.get("/healthz").status_code == 200
    assert figures(client, "geomill_http_requests_total") == {("GET", "getHealth", "2xx"): 1}


@pytest.mark.parametrize(
    "given, kept",
    [("4f1e-0.a_b:c+d/e=@", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False), ("\xe4", False)],
)
def test_a_request_keeps_its_id_or_gets_one(client: FlaskClient, given: str, kept: bool) -> None:
    answers = [client.get(path, headers={HEADER: given}) for path in ("/healthz", "/jobs/none", "/none")]
    found = [answer.headers[HEADER] for answer in answers]
    assert found == [given] * 3 if kept else len(set(found)) == 3 and all(len(each) == 20 for each in found)


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_lines_in_json_say_which_request_and_job_they_are_about(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(replace(settings, log_format="json"))

    @app.get("/broken/<job_id>")
    def broken(job_id: str) -> str:
        raise RuntimeError("two\nlines \x1b[31m\x7f\u202e")

    try:
        job_id = create(app.jobs)
        asked = {HEADER: "4f1e", **bearer(settings, Role.ADMIN)}
        answer = app.test_client().get(f"/broken/{job_id}?signature=secret", headers=asked, buffered=True)
        assert (answer.status_code, answer.headers[HEADER]) == (500, "4f1e")
        (line,) = said(capsys)
        about = {name: line[name] for name in ("level", "logger", "request", "job", "tenant", "caller")}
        assert about == {
            **{"level": "ERROR", "logger": "geomill.app", "request": "4f1e", "job": job_id},
            **{"tenant": "default", "caller": "admin-None"},
        }
        assert line["error"].endswith("RuntimeError: two\nlines \x1b[31m\x7f\u202e")
        assert "secret" not in json.dumps(line) and asked["Authorization"] not in json.dumps(line)
        logging.getLogger("geomill.test").error("between two requests")
        (line,) = said(capsys)
        assert "request" not in line and line["message"] == "between two requests"
    finally:
        create_app(settings)


def test_lines_of_text_end_with_the_id_of_their_request(app: Geomill, capsys: pytest.CaptureFixture[str]) -> None:
    @app.get("/broken")
    def broken() -> str:
        raise RuntimeError("it broke")

    app.test_client().get("/broken", headers={HEADER: "4f1e"}, environ_overrides={"geomill.local": True})
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.endswith("unexpected error at GET /broken (request 4f1e)") and last.endswith("RuntimeError: it broke")
