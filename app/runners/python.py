"""Runs a Python process: in this warm process, or in the interpreter that the process names."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NoReturn

from geomill.app.exchange import inputs
from geomill.app.exchange.request import read
from geomill.app.runners.task import Failed, Task
from geomill.processes import BadInput, process
from geomill.processes.call import call, files_from_json
from geomill.processes.describe import load_source

SOURCE = "package.py"
_LESSON = {"inputs": {"number": {"schema": {"type": "integer"}}, "text": {"schema": {"type": "string"}}}}


def warm_up() -> None:
    """Take the path of a value that a job has fetched and checks: what it imports takes 40 ms."""
    inputs.check(_lesson_asked(), _LESSON)


def rehearse() -> None:
    """Take the paths of a run: the imports and caches on them are inherited."""
    call(_lesson, inputs.stage(_lesson_asked(), _LESSON, _nothing, Path()), lambda *_: None, lambda *_: Path())


def _lesson_asked() -> inputs.ExecuteRequest:
    return read(b'{"inputs": {"number": 1, "text": ""}}')


def _nothing(href: str, *_: object) -> NoReturn:
    raise ValueError(href)


@process
def _lesson(number: int, text: str) -> dict[str, int | str]:
    """What the templates warm up with."""
    return {"number": number, "text": text}


def run(task: Task) -> dict[str, Any]:
    """The results to publish. Raises what the function raises, and BadInput."""
    arguments = task.arguments()
    if task.job.interpreter:
        return task.results(_call_elsewhere(task, task.job.interpreter, arguments))
    module = load_source(task.source, Path(task.job.path), task.code)
    return task.results(call(getattr(module, task.job.entry), arguments, task.progress, task.fetch))


def _call_elsewhere(task: Task, interpreter: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Call the function in another interpreter, and serve its requests until it has answered."""
    orders_out, orders_in = os.pipe()
    answers_out, answers_in = os.pipe()
    command = [interpreter, "-m", "geomill.processes.call", str(orders_out), str(answers_in)]
    environment = {**os.environ, "PYTHONPATH": str(task.library)}
    process = subprocess.Popen(command, pass_fds=(orders_out, answers_in), env=environment)
    os.close(orders_out)
    os.close(answers_in)
    order = {"source": task.source.decode(), "path": task.job.path, "entry": task.job.entry, "arguments": arguments}
    with open(orders_in, "w", encoding="utf-8") as orders, open(answers_out, encoding="utf-8") as answers:
        outputs = _converse(task, order, orders, answers)
    code = process.wait()
    if isinstance(outputs, Failed):
        raise outputs
    if outputs is None:
        if code < 0:
            os.kill(os.getpid(), -code)
        reason = f"ended with exit code {code}" if code else "ended before it gave its results"
        raise Failed({"cause": "exit", "message": reason})
    return outputs


def _converse(task: Task, order: dict[str, Any], orders: Any, answers: Any) -> dict[str, Any] | Failed | None:
    """Serve the other interpreter until it is done: its outputs, its failure, or neither."""

    def tell(message: dict[str, Any]) -> None:
        orders.write(json.dumps(message) + "\n")
        orders.flush()

    tell(order)
    for line in answers:
        message = json.loads(line)
        if "progress" in message:
            task.progress(message["progress"], message.get("message"))
        elif "fetch" in message:
            try:
                tell({"path": str(task.fetch(message["fetch"], message.get("type")))})
            except BadInput as error:
                tell({"refused": str(error)})
        elif "failure" in message:
            return Failed(message["failure"])
        elif "outputs" in message:
            outputs: dict[str, Any] = files_from_json(message["outputs"])
            return outputs  # and not at the end of the pipe, which what it left behind may hold open
    return None
