"""The steps of a running package: each in a sandbox, with a log of its own, noted as it begins and ends.

cwltool makes the jobs and decides when they may run. What is ours hangs on its public classes: tools make jobs of our
kind, and whatever a tool gives passes through `Steps`, which counts it and keeps it for a retry.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from cwltool.builder import INPUT_OBJ_VOCAB
from cwltool.command_line_tool import CommandLineTool, ExpressionTool
from cwltool.context import LoadingContext
from cwltool.process import Process, shortname
from cwltool.process import uniquename as unique
from cwltool.workflow import Workflow, WorkflowStep, default_make_tool
from schema_salad.avro.schema import Schema
from schema_salad.exceptions import ValidationException
from schema_salad.validate import validate_ex

from geomill.app.cwl.fence import Fence
from geomill.app.cwl.reuse import Reuse
from geomill.app.cwl.said import Said, last_lines, local
from geomill.app.cwl.tool_runs import StepJob
from geomill.app.sandbox import Sandbox
from geomill.jobstore.records import now, timestamp

Event = dict[str, Any]


class Steps:
    """What is known of the steps of one run. say: takes an event; progress: takes per cent and a message."""

    def __init__(
        self, logs: Path, work: Path, sandbox: Sandbox, said: Said, say: Callable[[Event], None],
        progress: Callable[[float, str], None],
    ) -> None:  # fmt: skip
        """logs: a folder, for a file each; work: the job's."""
        self.logs, self.work, self.sandbox, self.said = logs, work, sandbox, said
        self.say, self.progress = say, progress
        self.fence = Fence(work)
        self.reuse = Reuse(work, self.fence)
        self.failure: str | None = None
        self._lock = threading.Lock()
        self._leaves: dict[str, list[str]] = {}  # the id of each leaf of the workflow: the ids of the steps around it
        self._begun: Counter[str] = Counter()  # how often each step was begun: once for every item of a scatter
        self._done = 0

    # ---- counting

    def plan(self, process: Process) -> None:
        """Learn what there is to do. A single tool that fails leaves nothing to keep."""
        self._plan(process, ())
        self.reuse.keeping = isinstance(process, Workflow)

    def _plan(self, process: Process, around: tuple[str, ...]) -> None:
        """The leaves of a workflow, or the one tool that it is."""
        if not isinstance(process, Workflow):
            self._leaves["/".join(around)] = list(around)
            return
        for step in process.steps:
            cast(CountedStep, step).path = "/".join((*around, step.tool["id"]))
            self._plan(step.embedded_tool, (*around, step.tool["id"]))

    def begun(self, path: str) -> None:
        """A step, or one item of a scatter, is about to begin."""
        with self._lock:
            self._begun[path] += 1

    @property
    def total(self) -> int:
        """How many runs of tools there are, as far as can be known: a scatter shows its width when it begins."""
        return sum(map(self._times, self._leaves))

    def _times(self, leaf: str) -> int:
        times, path = 1, ""
        for step in self._leaves[leaf]:
            path = f"{path}/{step}" if path else step
            times = max(times, self._begun[path])
        return times

    def finished(self, name: str) -> None:
        """One run of a tool is over."""
        with self._lock:
            self._done += 1
            done, total = self._done, max(self.total, self._done)
        self.progress(min(99.0, 100 * done / (total + 1)), f"{name} done, {done} of {total} steps")

    # ---- noting

    def note(self, event: str, step: str, **more: Any) -> None:
        """Say what happened to a step."""
        self.say({"time": timestamp(now()), "event": event, "step": step, **more})

    def fail(self, step: str, how: str, code: int | None = None, log: Path | None = None) -> None:
        """Keep why the run failed: the first step that did. how: it ended; code: of its tool, if that is the reason."""
        with self._lock:
            if self.failure is None:
                why = local(last_lines(log), self.work) if code and log else self.said.here()
                see = f" (log: {log.name})" if log else ""
                self.failure = f"step {step} {how}{see}" + (f": {why}" if why else "")

    def construct(self, document: Any, context: LoadingContext) -> Process:
        """What cwltool calls for each process in a document: one of our kind."""
        context.relax_path_checks = True  # files have any name: a sandboxed tool can do no harm with one
        kinds: dict[str, Any] = {
            "CommandLineTool": StepTool,
            "ExpressionTool": StepExpression,
            "Workflow": StepWorkflow,
        }
        kind = kinds.get(document.get("class"))
        if kind is None:
            return default_make_tool(document, context)
        process: Process = kind(document, context)
        process.steps_of_run = self  # type: ignore[attr-defined]  # as all of our kinds have
        return process


class StepTool(CommandLineTool):
    """A command line tool whose runs are noted, and taken from an earlier run of the job if they can be."""

    steps_of_run: Steps

    def make_job_runner(self, runtimeContext: Any) -> Any:
        """Never a container of cwltool's own, whatever the document says: the sandbox decides."""
        return partial(StepJob, self.steps_of_run)

    def job(self, job_order: Any, output_callbacks: Any, runtimeContext: Any) -> Any:
        """The run of this tool, or nothing when its outputs are known."""
        steps = self.steps_of_run
        key = steps.reuse.key(runtimeContext.name, self, job_order)
        known = steps.reuse.known(key)
        if known is not None:
            name = unique(runtimeContext.name or shortname(self.tool.get("id", "job")))
            steps.note("ended", name, tool=shortname(self.tool["id"]), outcome="reused", exit_code=0, seconds=0.0)
            steps.finished(name)
            steps.reuse.keep(key, known)
            output_callbacks(known, "success")
            return
        for job in super().job(job_order, partial(self._receive, key, output_callbacks), runtimeContext):
            if isinstance(job, StepJob):
                job.inplace_update = False  # a tool may write to its own folders alone: it changes a copy
                job.tool_id = shortname(self.tool["id"])
            yield job

    def _receive(self, key: str | None, output_callbacks: Any, outputs: Any, status: str) -> None:
        if status == "success":
            self.steps_of_run.reuse.keep(key, outputs)
        output_callbacks(outputs, status)


class StepExpression(ExpressionTool):
    """An expression tool, which has no log."""

    steps_of_run: Steps

    def job(self, job_order: Any, output_callbacks: Any, runtimeContext: Any) -> Any:
        """The evaluation."""
        name = unique(runtimeContext.name or shortname(self.tool.get("id", "job")))
        self.steps_of_run.note("started", name, tool=shortname(self.tool["id"]))
        begin = time.monotonic()

        def receive(outputs: Any, status: str) -> None:
            steps, seconds = self.steps_of_run, round(time.monotonic() - begin, 3)
            if status == "success" and (wrong := self._wrong(outputs)):
                steps.said.note(wrong)
                outputs, status = {}, "permanentFail"
            steps.note("ended", name, outcome=status, seconds=seconds)
            if status == "success":
                steps.finished(name)
            else:
                steps.fail(name, "failed")
            output_callbacks(outputs, status)

        yield from super().job(job_order, receive, runtimeContext)

    def _wrong(self, outputs: Any) -> str:
        """What does not fit of some outputs, which cwltool leaves open."""
        schema = cast(Schema, self.names.get_name("outputs_record_schema", None))
        try:
            validate_ex(schema, outputs, strict=False, logger=logging.getLogger("salad"), vocab=INPUT_OBJ_VOCAB)
        except ValidationException as error:
            return f"what the expression gave does not fit: {error}"
        return ""


class StepWorkflow(Workflow):
    """A workflow whose steps are counted."""

    steps_of_run: Steps

    def make_workflow_step(self, toolpath_object: Any, pos: int, loadingContext: Any, *more: Any) -> WorkflowStep:
        """One step."""
        return CountedStep(toolpath_object, pos, loadingContext, *more)


class CountedStep(WorkflowStep):
    """A step that says how often it begins."""

    path = ""

    def job(self, job_order: Any, output_callbacks: Any, runtimeContext: Any) -> Any:
        """Begin once; not a generator, so that all items of a scatter are counted before the first one runs."""
        steps = getattr(self.embedded_tool, "steps_of_run", None)
        if steps is not None:
            steps.begun(self.path)
        return super().job(job_order, output_callbacks, runtimeContext)
