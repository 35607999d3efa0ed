"""The steps of a running package: each in a sandbox, with a log of its own, noted as it begins and ends.

cwltool makes the jobs and decides when they may run. What is ours hangs on its public classes: tools make jobs of our
kind, and whatever a tool gives passes through `Steps`, which counts it and keeps it for a retry.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from cwltool.builder import INPUT_OBJ_VOCAB
from cwltool.command_line_tool import CommandLineTool, ExpressionTool
from cwltool.context import LoadingContext
from cwltool.errors import WorkflowException
from cwltool.job import CommandLineJob
from cwltool.process import Process, shortname, stage_files
from cwltool.process import uniquename as unique
from cwltool.workflow import Workflow, WorkflowStep, default_make_tool
from schema_salad.avro.schema import Schema
from schema_salad.exceptions import ValidationException
from schema_salad.validate import validate_ex

from geomill.app.cwl import memory
from geomill.app.cwl.bounded import BoundedLog
from geomill.app.cwl.fence import Fence
from geomill.app.cwl.needs import reference
from geomill.app.cwl.reuse import Reuse
from geomill.app.cwl.said import Said, last_lines, local, log_name
from geomill.app.sandbox import Sandbox, Tool
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


class StepJob(CommandLineJob):
    """One run of a tool: its command inside the sandbox, its output in its log."""

    tool_id = ""

    def __init__(self, steps: Steps, *args: Any) -> None:
        """steps: where it is noted; args: of CommandLineJob."""
        super().__init__(*args)
        self.steps = steps
        self.peak_memory: int | None = None
        self.exit_code: int | None = None
        self.log: Path

    def run(self, runtimeContext: Any, tmpdir_lock: Any = None) -> None:
        """Run it, and say so."""
        steps, context = self.steps, runtimeContext.copy()
        log = self.log = steps.logs / f"{log_name(self.name)}.log"
        steps.note("started", self.name, tool=self.tool_id)
        begin, callback, outcome = time.monotonic(), self.output_callback, "permanentFail"

        def receive(outputs: Any, status: str) -> None:
            nonlocal outcome
            outcome = status
            self._append_stderr(file)
            if status != "success":
                if not self.exit_code:
                    file.write(f"{steps.said.here()}\n".encode())
                steps.fail(self.name, self._ended(time.monotonic() - begin), self.exit_code, log)
            callback(outputs, status)  # type: ignore[misc]

        self.output_callback = receive
        steps.said.forget()
        # unbuffered and appended to: what the tool writes and what we write never overwrite each other
        with log.open("ab", 0) as file:
            context.default_stdout = context.default_stderr = _KeptOpen(file)
            try:
                self._run(context, tmpdir_lock, file)
            except Exception as error:
                file.write(f"{local(str(error), steps.work)}\n".encode())
                steps.said.note(str(error))
                steps.fail(self.name, "failed", None, log)
                raise
            finally:
                seconds = round(time.monotonic() - begin, 3)
                steps.note("ended", self.name, tool=self.tool_id, outcome=outcome, exit_code=self.exit_code,
                           seconds=seconds, peak_memory=self.peak_memory)  # fmt: skip
        if outcome == "success":
            steps.finished(self.name)

    def _run(self, context: Any, tmpdir_lock: Any, log: IO[bytes]) -> None:
        os.makedirs(self.tmpdir, exist_ok=True)
        self._setup(context)
        stage_files(self.pathmapper, put, ignore_writable=True, symlink=False)
        if self.generatemapper is not None:
            stage_files(self.generatemapper, ignore_writable=self.inplace_update, symlink=True)
            # else cwltool puts the links back when the tool has ended, by names that may lead anywhere by then
            del self.generatefiles["listing"]
        for name in filter(None, (self.stdout, self.stderr)):  # which cwltool opens
            self.steps.fence.target(os.path.join(self.base_path_logs, name), self.base_path_logs)
        shown = local(shlex.join(map(str, self.command_line)), self.steps.work).replace("\n", "\\n")
        log.write(f"$ {shown}\n".encode(errors="replace"))
        if not self.command_line:
            raise WorkflowException("the tool has no command: neither baseCommand nor arguments say what to run")
        self.command_line, environment = self.steps.sandbox.command(self._sandboxed())
        self._execute([], environment, context, self.process_monitor)

    def _append_stderr(self, log: IO[bytes]) -> None:
        """What a tool said into a file of its own is looked for in its log all the same."""
        if self.stderr:
            with contextlib.suppress(OSError, WorkflowException):  # the tool may have left anything in its place
                with self.steps.fence.open(f"{self.outdir}/{self.stderr}") as file:
                    log.write(file.read(1 << 20))

    def _sandboxed(self) -> Tool:
        """What the sandbox has to know. Raises WorkflowException."""
        for name, value in self.environment.items():
            if not name or "=" in name or "\0" in name + value:
                raise WorkflowException(f"{name!r} and its value cannot be a variable of the environment")
        image, _ = self.get_requirement("DockerRequirement")
        return Tool(
            argv=tuple(map(str, self.command_line)),
            environment=dict(self.environment),
            cwd=Path(self.outdir),
            tmp=Path(self.tmpdir),
            work=self.steps.work,
            network=bool(self.networkaccess),
            image=reference(image or {}) or None,
        )

    def _ended(self, seconds: float) -> str:
        """How the tool ended that failed."""
        code, limit = self.exit_code, self.timelimit
        if limit and seconds >= limit and code in (None, -signal.SIGTERM):
            return f"was ended by its time limit of {limit} seconds"
        if code is not None and code < 0:
            return f"was ended by signal {-code}"
        return f"failed with exit code {code}" if code else "failed"

    def process_monitor(self, sproc: Any) -> None:
        """Wait for the tool, and take what it used with its exit code."""
        log = BoundedLog(self.log)
        seen = memory.watch(sproc.pid, log.look)
        log.close()
        try:
            _, status, used = os.wait4(sproc.pid, 0)
        except ChildProcessError:  # its time limit was faster
            return
        sproc.returncode = self.exit_code = os.waitstatus_to_exitcode(status)
        self.peak_memory = memory.peak(used, seen)


class _KeptOpen:
    """A log that cwltool hands to a tool and then closes, though there may be more to write."""

    def __init__(self, file: IO[bytes]) -> None:
        self.fileno = file.fileno


def put(source: str, target: str) -> None:
    """Put a file or directory where a tool shall find it: no link, which tools take for something else."""
    source = os.path.realpath(source)
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True, copy_function=os.link)
    else:
        os.link(source, target)
