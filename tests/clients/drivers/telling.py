"""What the drivers share. Each drives one client through the life of processes and jobs, in the client's environment,
and prints as JSON what the client made of the answers."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import Any

SERVER, PACKAGE = sys.argv[1:]  # addresses; PACKAGE: of a CWL document, empty where none can be deployed
EVERYTHING = {
    "echoInput": "hi",
    "numbersInput": [1, 2],
    "mixedInput": {"value": {"a": 1}},
    "bboxInput": {"bbox": [7, 46, 8, 47]},
    "imageInput": "SUkqAA==",
}
OUTPUTS = {
    "a text": "echoInput",
    "an array of numbers": "numbersInput",
    "an object": "mixedInput",
    "a bounding box": "bboxInput",
    "a file": "imageInput",
}
PROFILES = {"as it comes": None, "as a value": "return=representation", "as a link": "return=minimal"}
ENDS = ("successful", "failed", "dismissed")
DEADLINE = 60.0  # seconds


def refused(call: Callable[[], Any], problem: Callable[[Any], str] | None = None) -> dict[str, Any]:
    """How a call fails: the exception's name, and status and type of the problem that it holds; empty if it does not.

    problem: finds the problem document in an exception.
    """
    try:
        call()
    except Exception as error:
        document = json.loads(problem(error)) if problem else {}
        return {"raised": type(error).__name__, "status": document.get("status"), "type": document.get("type")}
    return {}


def ended(status: Callable[[], str]) -> str:
    """The status of a job that has ended, asked for until then."""
    begun = time.monotonic()
    while (found := status()) not in ENDS and time.monotonic() - begun < DEADLINE:
        time.sleep(0.05)
    return found


def read(results: Callable[[str, str | None], Any]) -> dict[str, dict[str, Any]]:
    """What a client makes of each kind of output, by `Prefer`: a value, or the name of an exception in "raised".

    results: of a job's id and a `Prefer`, the outputs by their ids.
    """
    jobs = {kind: _job({"inputs": EVERYTHING, "outputs": {output: {}}}) for kind, output in OUTPUTS.items()}
    found: dict[str, dict[str, Any]] = {}
    for kind, output in OUTPUTS.items():
        found[kind] = {}
        for profile, prefer in PROFILES.items():
            try:
                found[kind][profile] = results(jobs[kind], prefer)[output]
            except Exception as error:
                found[kind][profile] = {"raised": type(error).__name__}
    return found


def _job(body: dict[str, Any]) -> str:
    """The id of a job of echo that has ended. Not every client can send everything, so none does here."""
    request = urllib.request.Request(f"{SERVER}/processes/echo/execution", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        (monitor,) = [link for link in answer.headers.get_all("Link") if 'rel="monitor"' in link]
    return monitor.partition(">")[0].rpartition("/")[2]


def tell(seen: dict[str, Any]) -> None:
    """Print what was seen."""
    print(json.dumps(seen, default=str))
