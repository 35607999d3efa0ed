"""One run of a command line tool: its command inside the sandbox, its output in its log, its begin and end noted."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cwltool.errors import WorkflowException
from cwltool.job import CommandLineJob
from cwltool.process import stage_files

from geomill.app.cwl import memory
from geomill.app.cwl.bounded import BoundedLog
from geomill.app.cwl.needs import reference
from geomill.app.cwl.said import local, log_name
from geomill.app.sandbox import Tool

if TYPE_CHECKING:
    from geomill.app.cwl.steps import Steps


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
            cores=math.ceil(self.builder.resources["cores"]),
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
