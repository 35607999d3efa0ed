"""A bare Flask application that gives the answers it was given: the least that a request costs under Flask.

BARE_ANSWERS names a JSON file of them, by path; BARE_FOLDER a folder in which a POST makes the files of a job.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from flask import Flask, Response, request

from benchmarks.bare.files import Bare

app = Flask(__name__)
ANSWERS = {
    path: (answer["body"].encode(), answer["headers"])
    for path, answer in json.loads(Path(os.environ["BARE_ANSWERS"]).read_text()).items()
}
FILES = Bare(Path(os.environ["BARE_FOLDER"]) / str(os.getpid()))


@app.get("/")
@app.get("/processes")
@app.get("/processes/<process_id>")
@app.get("/jobs/<job_id>")
def show(**_: str) -> Response:
    """What was given for this path."""
    body, headers = ANSWERS[request.path]
    return Response(body, 200, headers)


@app.post("/processes/<process_id>/execution")
def execute(process_id: str) -> Response:
    """Read JSON, answer 201; with the files of a job where the process is called durable."""
    inputs = request.get_json()["inputs"]
    if process_id == "durable":
        FILES.create(json.dumps(inputs).encode())
    body, headers = ANSWERS["POST"]
    return Response(body, 201, headers)
