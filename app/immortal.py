"""Objects that last as long as their process: nobody counts who uses them, and forked processes keep sharing them.

Python writes a count into every object that it touches, so a forked process copies the page of each function that it
calls. Since 3.12 it has objects without a count (PEP 683), for servers that fork: None, numbers, its own types. It has
no function yet that makes others so; what tells them is a count that no other object has. Where that is possible a job
copies half as many pages, and takes a sixth less of a processor.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from types import CodeType, FunctionType

_TRIED = {(3, 12), (3, 13)}  # 3.11 counts the uses of every object
LASTING = 2**32 - 1  # that of None, at first: old extensions may count its uses all the same
_KNOWN = sys.implementation.name == "cpython" and sys.version_info[:2] in _TRIED
_PLAIN = "t" not in sys.abiflags and not hasattr(sys, "gettotalrefcount")  # neither free-threaded nor for debugging
POSSIBLE = _KNOWN and _PLAIN and sys.byteorder == "little" and sys.maxsize > 2**32


def make_all(*, values: bool = False) -> None:
    """Let all that this process has now last, and be passed over by the search for garbage.

    values: the texts and numbers in it, too, which takes three times as long, and lets jobs copy a tenth less.

    For who has loaded what it needs, and is about to fork; without threads. What is to be closed has to be closed by
    its name from then on: nothing of it ends by being forgotten.
    """
    gc.collect()
    if POSSIBLE:
        _stop_counting(values)
    gc.freeze()


def _stop_counting(values: bool) -> None:
    """The containers, and the code of functions with its constants."""
    memory = (ctypes.c_uint32 * 2**46).from_address(0)  # an array is twice as fast as a pointer for each object
    containers = gc.get_objects()
    codes = [each.__code__ for each in containers if isinstance(each, FunctionType)]
    for each in containers:
        memory[id(each) >> 2] = LASTING  # the half of its count that Python looks at
    while codes:
        code = codes.pop()
        if memory[id(code) >> 2] == LASTING:
            continue
        for each in (code, code.co_consts, *code.co_consts):
            if each is code or not isinstance(each, CodeType):
                memory[id(each) >> 2] = LASTING
            else:
                codes.append(each)
    for each in gc.get_referents(*containers) if values else ():
        memory[id(each) >> 2] = LASTING
