"""Runs code in forked children: to end one in the middle of something, or to let several race."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

CRASHED = 77


def crash_at(call: int, names: Sequence[str], run: Callable[[], Any]) -> bool:
    """Run in a child that ends right after its n-th call of these functions of `os`. Whether it came that far.

    call: odd numbers end it before the call, even ones after it, so that 2n+1 and 2n+2 are the two sides of call n.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _arm(call, names)
            run()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, CRASHED), "the child failed by itself"
    return code == CRASHED


def _arm(call: int, names: Sequence[str]) -> None:
    left = [(call + 1) // 2]

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **keywords: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and call % 2:
                os._exit(CRASHED)
            try:
                return original(*args, **keywords)
            finally:
                if left[0] == 0:
                    os._exit(CRASHED)

        return counted

    for name in names:
        setattr(os, name, wrap(getattr(os, name)))


class Child:
    """A forked child that waits for `go`, runs, and tells what came of it."""

    def __init__(self, run: Callable[[], Any]) -> None:
        self._gate_out, self._gate_in = os.pipe()
        self._out, self._in = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._gate_in)
            os.read(self._gate_out, 1)
            try:
                answer: Any = run()
            except BaseException as error:
                answer = type(error).__name__
            with suppress(BaseException):
                os.write(self._in, pickle.dumps(answer))
            os._exit(0)
        os.close(self._gate_out)
        os.close(self._in)

    def go(self) -> None:
        """Let it run."""
        os.write(self._gate_in, b".")  # closing would not do: children made later have it open too
        os.close(self._gate_in)

    def answer(self) -> Any:
        """What it returned, or the name of what it raised."""
        with open(self._out, "rb") as file:
            content = file.read()
        os.waitpid(self.pid, 0)
        return pickle.loads(content)


def race(*runs: Callable[[], Any]) -> list[Any]:
    """Run these at the same time, each in a child of its own; what each returned, or the name of what it raised."""
    children = [Child(run) for run in runs]
    for child in children:
        child.go()
    return [child.answer() for child in children]
