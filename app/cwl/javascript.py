"""The expressions of CWL documents, run by QuickJS inside the process: no node, no files, no network."""

from __future__ import annotations

import json
import logging
from typing import Any

import quickjs
from cwl_utils.errors import JavascriptException
from cwl_utils.sandboxjs import NodeJSEngine, code_fragment_to_js, default_timeout, set_js_engine

MEMORY = 256 << 20  # bytes
STACK = 1 << 20  # bytes; far below the smallest stack of a thread
SHOWN = 300  # characters of an expression in a message
SAID = 1000  # characters of what a script says at once

# Everything that the script could replace is taken before it runs; console is what node offers, heard by the log.
PRELUDE = """
const __said = [], __stringify = JSON.stringify;
const console = Object.fromEntries(["log", "info", "warn", "error", "debug", "trace"].map(name => [name, (...said) => {
  if (__said.length < 100)
    __said.push(said.map(each => typeof each === "string" ? each : __stringify(each) ?? String(each)).join(" "));
}]));
"""
# in an array undefined becomes null; an object that is no error has no text of its own
RUN = """
try { __stringify([(0, eval)(__script)]) }
catch (thrown) { throw thrown instanceof Object && !(thrown instanceof Error) ? __stringify(thrown) : thrown }
"""


class QuickJSEngine(NodeJSEngine):
    """Evaluates with QuickJS what cwltool's own engine would ask node to; parameter references stay as they are."""

    def eval(  # type: ignore[override]  # noqa: D102  the many switches of node mean nothing here
        self, scan: str, jslib: str = "", timeout: float = default_timeout, **_: Any
    ) -> Any:
        context = quickjs.Context()
        context.set_memory_limit(MEMORY)
        context.set_max_stack_size(STACK)
        context.eval(PRELUDE)
        context.set("__script", code_fragment_to_js(scan, jslib))
        context.set_time_limit(timeout)
        try:
            made = context.eval(RUN)
        except quickjs.JSException as error:
            raise JavascriptException(_told(error, scan, timeout)) from None
        finally:
            context.set_time_limit(1)
            _repeat(context)
        return json.loads(made)[0]


def use() -> None:
    """Let cwltool evaluate expressions with QuickJS."""
    set_js_engine(QuickJSEngine())


def _told(error: quickjs.JSException, expression: str, timeout: float) -> str:
    """What the script threw, where, and in which expression."""
    what, _, trace = str(error).partition("\n")
    if what == "InternalError: interrupted":
        what = f"stopped after {timeout:g} seconds of computing"
    elif what in ("InternalError: out of memory", "null"):  # null: there was no room for the error itself
        what = f"stopped for wanting more than {MEMORY >> 20} MiB of memory"
    what = what[:SAID]
    shown = expression if len(expression) <= SHOWN else expression[:SHOWN] + "..."
    return f"{what}\nin the expression ${shown}"


def _repeat(context: quickjs.Context) -> None:
    """Log what the script wrote to its console."""
    try:
        said = json.loads(context.eval("__stringify(__said)"))
    except quickjs.JSException:  # no memory left to tell
        return
    for line in said:
        logging.getLogger("cwltool").info("[javascript] %s", line[:SAID])
