"""Forty inputs with schemas made at random: what is filled into their form is what the same request by API is."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema
from support.browsers import Page
from support.filling import HELD, PARTS, fill, pairs
from support.mills import Mill

COUNT, SEED = 40, 3
PLAIN = ({"bbox"}, {"bbox", "crs"}, {"value", "encoding", "mediaType"})  # members of objects that are sent as they are

FILE = """
import json
from pathlib import Path
from geomill.processes import process

INPUTS = json.loads({schemas!r})

@process(id="generated", description={{"inputs": INPUTS, "outputs": {{"given": {{"schema": {{"type": "object"}}}}}}}})
def generated(inputs: dict) -> dict:
    \"\"\"Give what was given.\"\"\"
    return {{"given": json.loads(json.dumps(inputs, default=Path.read_text))}}
"""


def sent(value: Any) -> Any:
    """A value as it stands in a request. Source: OGC 18-062r2, inlineOrRefData.yaml."""
    return {"value": value} if isinstance(value, dict) and set(value) not in PLAIN else value


def held(asked: Any, site: Mill) -> Any:
    """A request as received, in which the files that were sent before it stand themselves."""
    if isinstance(asked, list):
        return [held(each, site) for each in asked]
    if isinstance(asked, dict) and str(asked.get("href")).startswith(f"{site.url}/uploads/"):
        sent_before = site.call("GET", asked["href"].removeprefix(site.url))
        return {**HELD, "value": base64.b64encode(sent_before.data).decode()}
    return {name: held(each, site) for name, each in asked.items()} if isinstance(asked, dict) else asked


def test_a_form_sends_what_the_api_is_sent(page: Page, site: Mill) -> None:
    made = {f"input-{number}": pair for number, pair in enumerate(pairs(SEED, COUNT))}
    described = {name: {"title": f"Title {name}", "schema": schema} for name, (schema, _) in made.items()}
    body = {"inputs": {name: sent(value) for name, (_, value) in made.items()}}
    file = site.settings.processes[-1] / "generated.py"
    file.write_text(FILE.format(schemas=json.dumps(described)))
    page.goto("/processes/generated")
    for name, (schema, value) in made.items():
        fill(page.locator(f"[id='inputs/{name}-input']").locator(PARTS), schema, value)
    with page.expect_navigation():
        page.get_by_role("button", name="Run").click()
    assert "/jobs/" in page.url, page.locator("#errors").inner_text()
    job_id = page.url.rpartition("/")[2]
    asked = json.loads(site.store.request(job_id))
    assert held(asked["inputs"], site) == body["inputs"]
    for schema, value in made.values():
        if "contentEncoding" not in json.dumps(schema):  # a file is an object where its schema says text
            jsonschema.validate(value, schema)
    other = site.call("POST", "/processes/generated/execution", body, Prefer="respond-async").json()["jobID"]
    for each in (job_id, other):
        assert site.ended(each).status.value == "successful", site.call("GET", f"/jobs/{each}/logs").data.decode()
    given = [site.call("GET", f"/jobs/{each}/results/given").json() for each in (job_id, other)]
    assert given[0] == given[1] and len(given[0]) == COUNT
