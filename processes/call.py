"""One run of a process: JSON arguments in, JSON outputs out, the function's own types in between.

Also the program that runs a process in an interpreter of its own, which has the authoring modules on its path and
nothing else of the server: requests and answers are JSON lines on the descriptors named by its two arguments.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from geomill.processes import BadInput, Fetch, Progress
from geomill.processes.hints import injected
from geomill.processes.values import decode, encode


def call(
    function: Callable[..., Any], arguments: Mapping[str, Any], progress: Progress, fetch: Fetch
) -> dict[str, Any]:
    """The outputs by id; a file is a Path. Raises what the function raises, BadInput, and TypeError for its outputs."""
    keywords = decode(function, arguments)
    for name, kind in injected(function).items():
        keywords[name] = progress if kind is Progress else fetch
    return encode(function, function(**keywords))


def files_to_json(value: Any) -> Any:
    """Outputs in which a file is {"$file": path}, for JSON."""
    if isinstance(value, Path):
        return {"$file": str(value)}
    if isinstance(value, dict):
        return {name: files_to_json(inner) for name, inner in value.items()}
    return [files_to_json(inner) for inner in value] if isinstance(value, list) else value


def files_from_json(value: Any) -> Any:
    """The reverse of files_to_json."""
    if isinstance(value, dict):
        if set(value) == {"$file"}:
            return Path(value["$file"])
        return {name: files_from_json(inner) for name, inner in value.items()}
    return [files_from_json(inner) for inner in value] if isinstance(value, list) else value


def main() -> None:
    """Run one process in this interpreter: task from the first descriptor, messages to the second."""
    from geomill.processes.describe import load_source

    with open(int(sys.argv[1]), encoding="utf-8") as orders, open(int(sys.argv[2]), "w", encoding="utf-8") as answers:
        os.set_inheritable(orders.fileno(), False)
        os.set_inheritable(answers.fileno(), False)
        task = json.loads(orders.readline())

        def say(message: dict[str, Any]) -> None:
            answers.write(json.dumps(message) + "\n")
            answers.flush()

        def progress(percent: float, message: str | None = None) -> None:
            say({"progress": percent, "message": message})

        def fetch(href: str, media_type: str | None = None) -> Path:
            say({"fetch": href, "type": media_type})
            answer = json.loads(orders.readline())
            if "refused" in answer:
                raise BadInput(answer["refused"])
            return Path(answer["path"])

        try:
            module = load_source(task["source"].encode(), Path(task["path"]))
            outputs = call(getattr(module, task["entry"]), task["arguments"], progress, fetch)
        except (Exception, SystemExit) as error:
            say({"failure": explain(error)})
            if not isinstance(error, (BadInput, SystemExit)):
                traceback.print_exception(type(error), error, authors(error.__traceback__, task["path"]))
            sys.exit(1)
        say({"outputs": files_to_json(outputs)})


def explain(error: BaseException) -> dict[str, str]:
    """The cause of a failure, as the status of a job names it, and the sentence that it shows."""
    if isinstance(error, BadInput):
        return {"cause": "bad-input", "message": readable(str(error))}
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        said = f": {error.code}" if isinstance(error.code, str) else ""
        return {"cause": "exit", "message": readable(f"ended with exit code {code}{said}")}
    if isinstance(error, MemoryError):
        _make_room()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return {"cause": "disk-full", "message": f"no space is left: {error}"}
    said = readable(traceback.format_exception_only(type(error), error)[-1].strip())
    return {"cause": _limit(error) or "exception", "message": said}


def _limit(error: BaseException) -> str | None:
    """The cause of a failure by a limit, if it is one."""
    if isinstance(error, MemoryError):
        return "out-of-memory"
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EMFILE:
        return "file-limit"
    if number == errno.EFBIG:
        return "work-limit"
    full = number == errno.EAGAIN or str(error) == "can't start new thread"
    return "process-limit" if full and not _can_fork() else None


def _make_room() -> None:
    """Take what memory there is left for last words."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _can_fork() -> bool:
    try:
        pid = os.fork()
    except OSError:
        return False
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return True


def readable(text: str) -> str:
    """Text that can be sent on: what is no Unicode in it, of the name of a file, becomes an escape."""
    return text.encode(errors="backslashreplace").decode()


def authors(trace: TracebackType | None, path: str) -> TracebackType | None:
    """The part of a traceback that means something to the author of the file at `path`; all, where none does."""
    begin = trace
    while begin is not None and begin.tb_frame.f_code.co_filename != path:
        begin = begin.tb_next
    return begin or trace


if __name__ == "__main__":
    main()
