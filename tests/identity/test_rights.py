"""Every operation, asked for by everybody, of every job, in every tenant: the answer is what the table says."""

from __future__ import annotations

import re
from itertools import count, product
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from identity.conftest import ASYNC, HELLO, Make, Start, bearer, job_of
from support.packages import OGC
from support.stores import create
from support.variants import thorough
from test_docs import table

from geomill.app import openapi
from geomill.app.arcgis.states import esri_id
from geomill.app.identity.roles import RIGHTS, Role
from geomill.app.identity.tokens import Tokens
from geomill.app.operations import of
from geomill.app.server import Geomill
from geomill.jobstore import Filters, Status

DOCUMENT = (Path(__file__).parents[2] / "docs/security.md").read_text()
ROWS = [
    (name, Role[role.strip("`").upper()], of_others)
    for names, role, of_others in table(DOCUMENT, "| operation |")
    for name in re.findall("`(.*?)`", names)
]
TABLE = {name: role for name, role, _ in ROWS}
OF_ALL_TENANTS = {"getMetrics"}  # for callers who are known in every tenant
FOR_ITS_OWNER = {name for name, _, of_others in ROWS if of_others == "is for its owner"}
REFUSED = ("unauthenticated", "forbidden", "no-such-job", "changes-refused")
PASSING = ("ETag", "Date", "Content-Length", "X-Request-ID")  # headers that differ from answer to answer
NONE = "0191b8a0-0000-7000-8000-000000000000"
PATHS = {
    "task": "echo",
    **{"processID": "echo", "outputID": "echoOutput", "N": "0", "path": "a.txt", "name": "bad-input", "version": "0"},
    "uploadID": "0" * 40,
}
CALLERS = ["", *(str(role) for role in Role if role is not Role.NONE), "elsewhere", "revoked"]
ALWAYS = [("own", Role.READER, "acme")]
JOBS = ("own", "another's", "nobody's", "none")


OPERATIONS: dict[str, tuple[str, str]] = {}  # method and path of each


def operations(app: Geomill) -> dict[str, tuple[str, str]]:
    """Method and path of each operation, documented or not."""
    found, documented = {}, openapi.PARAMETERS
    for rule in app.url_map.iter_rules():  # of two with one operation the last: that which changes something
        each, (method,) = of(app, rule.endpoint), (rule.methods or set()) - {"HEAD", "OPTIONS"}
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: f"{{{documented.get(part[1], (part[1],))[0]}}}", rule.rule)
        found.update({each.id: (method, path)} if each else {})
    return found


def ask(client: FlaskClient, operation: str, job_id: str, prefix: str, token: str) -> str:
    """What an operation is refused with; "" where it is not."""
    method, path = OPERATIONS[operation]
    path = re.sub(r"\{(\w+)\}", lambda part: {**PATHS, "jobID": job_id}.get(part[1], "x"), path)
    path = path.replace("bad-input", "step.log") if operation == "getStepLog" else path
    body: dict[str, Any] = {"json": HELLO, "headers": ASYNC} if operation == "execute" else {}
    path += "?f=json" if path.startswith("/arcgis") else ""
    # the forms on the page of a job are taken from there alone
    of_ours = {"Sec-Fetch-Site": "same-origin"} if "{jobID}" in OPERATIONS[operation][1] else {}
    headers = {**of_ours, **body.pop("headers", {}), **(bearer(token) if token else {})}
    if operation in ("deploy", "replace"):
        body = {"data": b"{}", "content_type": OGC}
    answer = client.open(prefix + path, method=method, headers=headers, **body)
    if path.startswith("/arcgis"):
        return esri_refusal(answer.json) if isinstance(answer.json, dict) else ""  # all results or inputs: a list
    named = str((answer.json or {}).get("type", "")).rpartition("/")[2] if answer.status_code >= 400 else ""
    challenged = answer.headers.get("WWW-Authenticate", "")
    assert (answer.status_code == 401) == (named == "unauthenticated")
    assert answer.status_code != 401 or challenged.startswith('Bearer realm="geomill"')
    return named if named in REFUSED else ""


def esri_refusal(document: dict[str, Any]) -> str:
    """The same of an answer of ArcGIS, whose status is 200, but for files."""
    code, message = document.get("code"), str(document.get("messages"))
    if "error" in document:
        code, message = document["error"]["code"], document["error"]["message"]
    if "No such job" in message or "There is no job" in message or "Unable to" in message:
        return "no-such-job"
    return {498: "unauthenticated", 499: "unauthenticated", 403: "forbidden"}.get(code or 0, "")


def expected(operation: str, caller: str, job: str, visible: str, anonymous: Role, elsewhere: bool) -> str:
    """What the table says. elsewhere: the tenant is not the one that the caller `elsewhere` is of."""
    if TABLE[operation] is Role.NONE:
        return ""
    if caller == "revoked":
        return "unauthenticated"
    nobody = not caller or (caller == "elsewhere" and elsewhere)
    granted = Role.NONE if nobody else Role.EXECUTOR if caller == "elsewhere" else Role[caller.upper()]
    role = max(granted, anonymous)
    if role < TABLE[operation] or (operation in OF_ALL_TENANTS and caller in ("", "elsewhere")):
        return "forbidden" if caller else "unauthenticated"
    if "{jobID}" not in OPERATIONS[operation][1]:
        return ""
    if job == "none":
        return "no-such-job"
    owner = {"own": caller, "nobody's": ""}.get(job)
    if role is Role.ADMIN or owner == ("" if nobody else caller):
        return ""
    if visible == "own":
        return "no-such-job"
    return "forbidden" if operation in FOR_ITS_OWNER else ""


@pytest.fixture
def callers(make: Make, tokens: Tokens) -> dict[str, str]:
    """A token of every role, of another tenant, and one that was revoked."""
    made = {str(role): make(str(role), role) for role in Role if role is not Role.NONE}
    made |= {"elsewhere": make("elsewhere", tenant="acme"), "revoked": make("revoked", Role.ADMIN), "": ""}
    tokens.revoke("revoked")
    return made


@pytest.mark.parametrize(
    "visible, anonymous, tenant",
    [
        *ALWAYS,
        *(
            thorough(*each)
            for each in product(("own", "all"), (Role.NONE, Role.READER, Role.EXECUTOR), ("default", "acme"))
            if each not in ALWAYS
        ),
    ],
)
def test_everybody_may_what_the_table_says(
    start: Start, callers: dict[str, str], visible: str, anonymous: Role, tenant: str
) -> None:
    app = start(jobs_visibility=visible, anonymous=str(anonymous), tenants=("acme",))
    app.test_client_class = FlaskClient  # every kind of answer is held against the definition elsewhere
    client, prefix = app.test_client(), "" if tenant == "default" else f"/{tenant}/ogc-api"
    OPERATIONS.update(operations(app))
    wrong = []
    for operation, caller in product(TABLE, CALLERS):
        for job in JOBS if "{jobID}" in OPERATIONS[operation][1] else JOBS[:1]:
            owner = {"own": caller, "another's": "somebody", "nobody's": ""}.get(job)
            job_id = NONE if owner is None else job_of(client, owner, tenant)
            found = ask(client, operation, job_id, prefix, callers[caller])
            right = expected(operation, caller, job, visible, anonymous, tenant == "default")
            if found != right:
                wrong.append((operation, caller, job, found, right))
    assert wrong == []


def test_every_operation_is_in_the_table_and_as_the_code_has_it(app: Geomill) -> None:
    assert {name: right.role for name, right in RIGHTS.items()} == TABLE
    assert {name for name, right in RIGHTS.items() if right.own} == FOR_ITS_OWNER
    assert {name for name, right in RIGHTS.items() if right.everywhere} == OF_ALL_TENANTS
    assert set(operations(app)) == set(TABLE)


def test_every_view_is_an_operation(app: Geomill) -> None:
    assert [endpoint for endpoint in app.view_functions if of(app, endpoint) is None] == []


def test_what_is_in_no_table_is_for_admins(start: Start, callers: dict[str, str]) -> None:
    app = start(anonymous="executor")
    app.add_url_rule("/forgotten", "forgotten", lambda: "done")
    app.test_client_class = FlaskClient
    answers = [app.test_client().get("/forgotten", headers=bearer(callers[role])) for role in ("deployer", "admin")]
    assert [answer.status_code for answer in answers] == [403, 200]
    assert app.test_client().get("/forgotten").status_code == 401


def test_anothers_job_cannot_be_told_from_none(start: Start, callers: dict[str, str]) -> None:
    """Whatever is asked of it, and however: the answers differ in the id alone."""
    client, ids = start().test_client(), count(1)
    theirs = job_of(client, "somebody")
    for operation, (method, path) in operations(client.application).items():  # type: ignore[arg-type]
        if "{jobID}" not in path:
            continue
        for accept, query in product(("application/json", "image/png", "text/html"), ("", "?limit=x&offset=-1&f=html")):
            told = []
            for job_id in (theirs, f"0191b8a0-0000-7000-8000-{next(ids):012}"):
                where = re.sub(r"\{(\w+)\}", lambda part: {**PATHS, "jobID": job_id}.get(part[1], "x"), path)  # noqa: B023
                headers = {**bearer(callers["executor"]), "Accept": accept, "If-Match": '"x"', "Range": "bytes=9-1"}
                answer = client.open(where + query, method=method, headers=headers)
                kept = {name: value for name, value in answer.headers if name not in PASSING}
                text = answer.get_data(as_text=True).replace(job_id, "ID").replace(esri_id(job_id), "ID")
                told.append((answer.status_code, kept, text))
            assert told[0] == told[1], operation
            # the first: not all are given as HTML
            assert told[0][0] in ((200, 404) if path.startswith("/arcgis") else (400, 404, 406)), operation


def test_a_job_belongs_to_who_made_it(start: Start, callers: dict[str, str]) -> None:
    client = start(anonymous="executor").test_client()
    for caller in ("executor", "deployer", ""):
        headers = {**ASYNC, **(bearer(callers[caller]) if caller else {})}
        job_id = client.post("/processes/echo/execution", json=HELLO, headers=headers).json["jobID"]
        assert client.application.jobs.job(job_id).owner == caller  # type: ignore[attr-defined]


def test_a_retry_belongs_to_who_asked_for_it(start: Start, callers: dict[str, str]) -> None:
    client = start().test_client()
    job_id = job_of(client, "executor")
    assert client.delete(f"/jobs/{job_id}", headers=bearer(callers["executor"])).status_code == 200
    again = client.post(f"/jobs/{job_id}/retry", headers=bearer(callers["admin"])).json["jobID"]
    assert client.application.jobs.job(again).owner == "admin"  # type: ignore[attr-defined]


def listed(client: FlaskClient, token: str, query: str = "") -> list[str]:
    answer = client.get(f"/jobs{query}", headers=bearer(token) if token else {})
    return [job["jobID"] for job in answer.json["jobs"]]


@pytest.mark.parametrize("query", ["", "?status=accepted", "?processID=echo,buffer", "?status=accepted&processID=echo"])
def test_a_list_has_ones_own_jobs(start: Start, callers: dict[str, str], query: str) -> None:
    client = start().test_client()
    jobs = {owner: job_of(client, owner) for owner in ("executor", "somebody", "", "reader")}
    assert listed(client, callers["executor"], query) == [jobs["executor"]]
    assert listed(client, callers["reader"], query) == [jobs["reader"]]
    assert listed(client, callers["deployer"], query) == []
    assert listed(client, "", query) == []
    assert set(listed(client, callers["admin"], query)) == set(jobs.values())


def test_a_list_may_have_everybodys_jobs(start: Start, callers: dict[str, str]) -> None:
    client = start(jobs_visibility="all").test_client()
    jobs = {job_of(client, owner) for owner in ("executor", "somebody", "")}
    for caller in ("reader", "admin", ""):
        assert set(listed(client, callers[caller])) == jobs


def test_pages_of_ones_own_jobs_show_each_once(start: Start, callers: dict[str, str]) -> None:
    client = start().test_client()
    mine = [(job_of(client, "reader"), job_of(client, "somebody"))[0] for _ in range(5)]
    page, seen = client.get("/jobs?limit=2", headers=bearer(callers["reader"])).json, []
    while True:
        seen += [job["jobID"] for job in page["jobs"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        page = client.get(following[0], headers=bearer(callers["reader"])).json
    assert sorted(seen) == sorted(mine)


def test_a_key_is_of_one_owner(start: Start, callers: dict[str, str]) -> None:
    client = start().test_client()
    keyed = {**ASYNC, "Idempotency-Key": "the same"}
    first, second, again = (
        client.post("/processes/echo/execution", json=HELLO, headers={**keyed, **bearer(callers[role])}).json["jobID"]
        for role in ("executor", "deployer", "executor")
    )
    assert first == again != second


def test_a_tenant_that_is_not_there_looks_like_one_that_is_anothers(start: Start, make: Make) -> None:
    client, token = start(anonymous="none", tenants=("acme", "zeta")).test_client(), make("ann", tenant="acme")
    words = set()
    for name in ("zeta", "none"):
        answer = client.get(f"/{name}/ogc-api/processes", headers=bearer(token))
        assert answer.status_code == 403
        words.add(answer.get_data(as_text=True).replace(name, ""))
    assert len(words) == 1
    assert client.get("/processes", headers=bearer(token)).status_code == 403
    assert client.get("/acme/ogc-api/processes", headers=bearer(token)).status_code == 200


def test_a_token_takes_nothing_away_where_it_is_not_good(start: Start, make: Make) -> None:
    client, token = start(anonymous="reader", tenants=("acme", "zeta")).test_client(), make("ann", tenant="acme")
    theirs = job_of(client, "ann", "zeta")  # of somebody else, who is called the same there
    for path in ("/processes", "/zeta/ogc-api/processes", "/none/ogc-api/processes", f"/zeta/ogc-api/jobs/{theirs}"):
        plain, shown = (client.get(path, headers=headers) for headers in ({}, bearer(token)))
        assert (plain.status_code, plain.data) == (shown.status_code, shown.data), path
        assert client.get(path, headers=bearer(f"{token}x")).status_code == 401
    refused = client.post("/zeta/ogc-api/processes/echo/execution", json=HELLO, headers=bearer(token))
    assert refused.status_code == 403 and "is good for acme, not for zeta" in refused.json["detail"]


def test_only_an_admin_of_all_makes_a_tenant(start: Start, make: Make) -> None:
    client = start().test_client()
    for name, role, tenant in (("ann", Role.DEPLOYER, None), ("of-new", Role.ADMIN, "new")):
        headers = {**ASYNC, **bearer(make(name, role, tenant))}
        assert client.post("/new/ogc-api/processes/echo/execution", json=HELLO, headers=headers).status_code == 404
    headers = {**ASYNC, **bearer(make("root", Role.ADMIN))}
    assert client.post("/new/ogc-api/processes/echo/execution", json=HELLO, headers=headers).status_code == 201


@pytest.mark.parametrize("anonymous, status", [("none", 403), ("reader", 403), ("executor", 201)])
def test_a_server_on_a_network_that_knows_nobody_lets_everybody_do_what_it_was_told(
    start: Start, anonymous: str, status: int
) -> None:
    client = start(host="0.0.0.0", anonymous=anonymous).test_client()
    answer = client.post("/processes/echo/execution", json=HELLO, headers={**ASYNC, "Host": "example.org"})
    assert answer.status_code == status
    assert status == 201 or answer.json["type"].endswith("/changes-refused")
    assert client.delete("/processes/none", headers={"Host": "example.org"}).json["type"].endswith("/changes-refused")


def test_a_server_on_a_network_knows_its_callers(start: Start, make: Make) -> None:
    client, token = start(host="0.0.0.0").test_client(), make("ann")
    headers = {**ASYNC, "Host": "example.org"}
    assert client.post("/processes/echo/execution", json=HELLO, headers=headers).status_code == 401
    assert client.post("/processes/echo/execution", json=HELLO, headers={**headers, **bearer(token)}).status_code == 201


def test_no_cache_gives_the_answer_of_one_caller_to_another(start: Start, callers: dict[str, str]) -> None:
    client = start().test_client()
    answer = client.get("/jobs", headers=bearer(callers["reader"]))
    assert answer.cache_control.private and {"Authorization", "Cookie"} <= set(answer.vary)
    assert {"Authorization", "Cookie"} <= set(client.get("/jobs").vary)


def test_the_definition_says_what_needs_a_token(start: Start, callers: dict[str, str]) -> None:
    client = start(anonymous="reader").test_client()
    definition = client.get("/api?f=json").json
    assert set(definition["components"]["securitySchemes"]) == {"token", "session", "password"}
    described = [each for path in definition["paths"].values() for each in path.values()]
    security = {each["operationId"]: each.get("security") for each in described}
    assert security["getProblemType"] == []
    assert security["getStatus"] == [{}, {"token": []}, {"session": []}, {"password": []}]
    assert security["execute"] == [{"token": []}, {"session": []}, {"password": []}]


def test_a_page_elsewhere_may_read_with_a_token_it_was_given(client: FlaskClient) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    assert "authorization" in client.options("/jobs", headers=asked).headers["Access-Control-Allow-Headers"]


def test_a_store_lists_the_jobs_of_an_owner_by_its_index(app: Geomill) -> None:
    jobs = [create(app.jobs, durable=False, owner=owner) for owner in ("ann", "ben", "ann")]
    found = app.jobs.list(Filters(owner="ann", statuses=(Status.ACCEPTED,), process_ids=("echo",)), 10).jobs
    assert [info.job_id for info in found] == [jobs[2], jobs[0]]
