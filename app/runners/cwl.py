"""Runs a CWL process: each of its tools in a sandbox, as a step of the job."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from cwltool.context import RuntimeContext
from cwltool.errors import WorkflowException
from schema_salad.exceptions import ValidationException

from geomill.app.cwl import loading
from geomill.app.cwl.contents import contents
from geomill.app.cwl.document import parse
from geomill.app.cwl.executor import Executor
from geomill.app.cwl.fence import Fence, FencedAccess, fenced_mapper
from geomill.app.cwl.formats import media_types
from geomill.app.cwl.order import Order
from geomill.app.cwl.results import Outputs
from geomill.app.cwl.said import Said, listen, local
from geomill.app.cwl.steps import Steps
from geomill.app.cwl.wording import readable
from geomill.app.exchange import inputs
from geomill.app.exchange.schema import compile_schema
from geomill.app.runners.task import Failed, Task
from geomill.app.sandbox import Sandbox, bubblewrap
from geomill.processes import BadInput

SOURCE = "document.cwl"
COMPUTING = 10.0  # seconds of one expression
LESSON = b"""
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [echo]
inputs: {a: {type: string, inputBinding: {}}}
outputs: {b: {type: stdout}}
"""


def warm_up() -> None:
    """Read the schemas of CWL and try the sandbox, which takes longer than most runs."""
    for name in ("geomill.app.download", "encodings.cp437"):  # a job user may not be able to reach the code any more;
        importlib.import_module(name)  # the latter is how names in zip files are written
    loading.warm_up()
    loading.make(parse(LESSON), "")
    bubblewrap.closed()


def rehearse() -> None:
    """Take what is small of a run: a spare that had loaded a document would take 6 MB more, to save 5 ms of 100."""
    compile_schema({"type": "string"})


def run(task: Task) -> dict[str, Any]:
    """The results to publish. Raises Failed, BadInput."""
    document = task.work / SOURCE
    document.write_bytes(task.source)
    logger, said = listen(task.work)
    tool, steps = _loaded(task, document, said)
    given = contents(task.request.inputs, inputs.given(task.request, task.description))
    order = Order(tool, task.work / "inputs", task.get).make(given)
    context = _context(task.work, steps.fence)
    if tool.tool["id"] == loading.URI:  # a tool that has no name of its own
        context.name = task.job.process_id
    executor = Executor(task.settings.workflow_cpus, task.settings.memory)
    context.select_resources = executor.select_resources
    try:
        outputs, status = executor(tool, order, context, logger)
    except (WorkflowException, ValidationException, OSError) as error:
        raise _failed(steps, executor, local(readable(error, loading.URI), task.work)) from error
    except RecursionError as error:
        raise _failed(steps, executor, "a value or a directory is nested too deep") from error
    except UnicodeError as error:
        raise _failed(steps, executor, "a file among the outputs has a name that is not in UTF-8") from error
    if status != "success" or outputs is None:
        raise _failed(steps, executor, said.first or f"the process ended as {status}")
    try:
        return task.requested(Outputs(task.work, task.job.job_id, _media_type).make(outputs))
    except WorkflowException as error:
        raise Failed({"cause": "result", "message": str(error)}) from error
    except RecursionError as error:
        raise Failed({"cause": "result", "message": "a directory is nested too deep"}) from error
    except UnicodeError as error:
        raise Failed({"cause": "result", "message": "a file has a name that is not in UTF-8"}) from error


def _loaded(task: Task, document: Path, said: Said) -> tuple[Any, Steps]:
    """The process, made of tools of our kind, and what is going to be known of its steps."""
    steps = Steps(task.logs, task.work, Sandbox(task.settings, task.way_out), said, task.event, task.progress)
    tool = loading.load(document, task.job.entry, construct=steps.construct)
    steps.plan(tool)
    return tool, steps


def _context(work: Path, fence: Fence) -> RuntimeContext:
    """How cwltool runs: everything below the job's folder, nothing moved or removed, no container of its own."""
    for name in ("tmp", "out"):
        (work / name).mkdir(exist_ok=True)
    context = RuntimeContext(
        {
            "use_container": False,
            "basedir": str(work),
            "outdir": str(work / "outputs"),
            "tmpdir_prefix": f"{work}/tmp/",
            "tmp_outdir_prefix": f"{work}/out/",
            "move_outputs": "leave",
            "rm_tmpdir": False,
            "default_container": None,
            "eval_timeout": COMPUTING,
            "path_mapper": fenced_mapper(fence),
        }
    )
    context.make_fs_access = lambda _: FencedAccess(fence)  # type: ignore[assignment]
    return context


def _media_type(format_: str) -> str | None:
    """The media type of a CWL format, if it has one."""
    return next(iter(media_types(format_)), None)


def _failed(steps: Steps, executor: Executor, message: str) -> Exception:
    """Why the run failed: the step that did, else what cwltool says, of what it gave where it had ended well."""
    if steps.failure is not None:
        return Failed({"cause": "exit", "message": steps.failure})
    if "the input" in message.lower() and "missing" in message.lower():
        return BadInput(message)
    return Failed({"cause": "result" if executor.final_status == ["success"] else "exit", "message": message})
