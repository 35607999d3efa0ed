"""Holding an RO-Crate against its profiles, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import requests
import requests_cache
import urllib3
from support.commands import Command

VALIDATOR = Command("rocrate_validator.cli:cli")
CWLTOOL = Command("cwltool.main:run")
URL = "https://w3id.org/ro/crate/1.1/context"

# the terms of the context that crates of ours use, as it has them
SCHEMA_ORG = (
    *("CreateAction", "CreativeWork", "Dataset", "ComputerLanguage", "Organization", "Person", "PropertyValue"),
    *("SoftwareSourceCode", "about", "actionStatus", "additionalType", "author", "contentSize", "datePublished"),
    *("description", "email", "encodingFormat", "endTime", "error", "exampleOfWork", "hasPart", "identifier"),
    *("instrument", "license", "mainEntity", "mentions"),
    *("name", "object", "programmingLanguage", "result", "startTime", "url", "value", "version", "workExample"),
)
CONTEXT = {
    **{term: f"http://schema.org/{term}" for term in SCHEMA_ORG},
    "File": "http://schema.org/MediaObject",
    "conformsTo": "http://purl.org/dc/terms/conformsTo",
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}



def complaints(crate: Path, profile: str, folder: Path) -> list[str]:
    """What is wrong with a crate by a profile of roc-validator, as its command says it. folder: for its cache."""
    _remember_context(folder / "cache")
    report = folder / "report.json"
    done = VALIDATOR(
        *("--no-interactive", "validate", "--offline"),
        *("--cache-path", folder / "cache", "--profile-identifier", profile, "--no-auto-profile"),
        *("--output-format", "json", "--output-file", report, crate),
    )
    assert report.exists(), done.stdout + done.stderr
    found = json.loads(report.read_text())
    assert found["passed"] == (not found["issues"])
    return [f"{issue['check']['identifier']}: {issue['message']}" for issue in found["issues"]]


def terms(node: Any) -> set[str]:
    """The keys and types in JSON-LD."""
    if isinstance(node, list):
        return set[str]().union(*map(terms, node))
    if not isinstance(node, dict):
        return set()
    kinds = node.get("@type", [])
    own = {key for key in node if key[0] != "@"} | ({kinds} if isinstance(kinds, str) else set(kinds))
    return own.union(*map(terms, node.values()))


def _remember_context(cache: Path) -> None:
    """Fill the validator's cache with all that it would fetch: the context."""
    answer = requests.Response()
    answer.status_code, answer.url, answer.raw = 200, URL, urllib3.HTTPResponse(body=b"", status=200)
    answer.headers["Content-Type"] = "application/ld+json"
    answer._content = json.dumps({"@context": CONTEXT}).encode()
    answer.request = requests.Request("GET", URL).prepare()
    with requests_cache.CachedSession(str(cache), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(answer)
        session.cache.close()
