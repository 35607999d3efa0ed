"""Where results come from: the request, W3C PROV in its encodings, and an RO-Crate that runs again."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

Finished = Callable[[str, Any], str]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:prov")


def test_try(worker: FlaskClient, finished: Finished, tmp_path) -> None:
    for process, body in (("add", {"inputs": {"a": 1}}), ("many", {}), ("fail", {"inputs": {"how": "error"}}),
            ("echo", {"inputs": {"echoInput": "hi", "mixedInput": {"a": 1}, "numbersInput": [1, 2], "imageInput": "SUkqAA=="}})):
        address = finished(process, body)
        print(worker.get(f"{address}/inputs").text)
        for f in ("json", "provn", "xml", "ttl", "jsonld", "nt"):
            print(worker.get(f"{address}/prov?f={f}").text)
        reply = worker.get(f"{address}/ro-crate.zip")
        zipfile.ZipFile(io.BytesIO(reply.data)).extractall(f"/tmp/provtry/{process}")
        Path(f"/tmp/provtry/{process}.zip").write_bytes(reply.data)
