"""What a process makes immortal before it forks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from geomill.app import immortal

ROOT = Path(__file__).parents[1]
# runs app/immortal.py by itself; how many pages a child copies that calls a thousand functions, before and after
SCRIPT = """
import ctypes, gc, importlib.util, json, os, resource, sys, weakref
spec = importlib.util.spec_from_file_location("immortal", sys.argv[1])
immortal = importlib.util.module_from_spec(spec)
spec.loader.exec_module(immortal)

class Thing:
    pass

def count_of(thing):
    return ctypes.c_uint64.from_address(id(thing)).value

def made(number):
    there = {}
    exec(f"def f(): return [{number}, 'a{number}b'][0]", there)
    return there["f"]

functions, between = [], []
for number in range(1000, 2000):
    functions.append(made(number))
    between.append([bytes(size) for size in range(16, 512, 16)])  # or they would be close together
for each in functions * 50:  # Python writes into code that it has not run often yet
    each()
old = Thing()

def copied():
    out, into = os.pipe()
    if (pid := os.fork()) == 0:
        begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for each in functions:
            each()
        os.write(into, str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return int(os.read(out, 100))

before = copied()
immortal.make_all()
after = copied()
first, second = Thing(), [made]
ended = []
watch = weakref.finalize(first, ended.append, "new")
del first
old.name, second[0] = "changed", 1
cycle = Thing()
cycle.own = cycle
kept = weakref.ref(cycle)
del cycle
gc.collect()
frozen, counted = gc.get_freeze_count(), sys.getrefcount(ended) < 10
text = "".join(["a text", " that is nowhere else"])
held = {"here": [text]}
immortal.make_all()
counted &= sys.getrefcount(text) < 10
held = {"here": [text]}  # one that was there before is looked at no more
lasting = count_of(None)
ctypes.c_uint64.from_address(id(None)).value += 100  # as extensions count that know of no objects without a count
immortal.make_all(values=True)
print(json.dumps({
    "possible": immortal.POSSIBLE, "before": before, "after": after, "ended": ended, "cycle": kept() is None,
    "frozen": frozen, "name": old.name, "uncounted": count_of(made) == lasting,
    "counted": counted, "values": count_of(text) == lasting == immortal.LASTING,
    "text": text + held["here"][0], "sum": sum(each() for each in functions),
}))
"""


def pythons() -> list[str]:
    """This one, and a newer one that `make clients` has made an environment with, if it has."""
    newer = sorted(ROOT.glob(".venv/clients/*/bin/python"))
    return [sys.executable, *map(str, newer[:1])]


@pytest.mark.parametrize("python", pythons())
def test_who_forks_shares_what_it_has_where_python_can_let_it_last(python: str) -> None:
    script = [python, "-P", "-c", SCRIPT, str(ROOT / "app" / "immortal.py")]
    done = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["frozen"] > 1000
    assert (told["ended"], told["cycle"], told["name"], told["counted"]) == (["new"], True, "changed", True)
    assert told["text"] == 2 * "a text that is nowhere else"
    assert told["sum"] == sum(range(1000, 2000))
    if told["possible"]:
        assert told["uncounted"] and told["values"]
        assert told["after"] < told["before"] / 4, "pages that a child copies"


def test_it_is_possible_since_python_3_12() -> None:
    if sys.implementation.name != "cpython" or hasattr(sys, "gettotalrefcount") or "t" in sys.abiflags:
        pytest.skip("another Python than most have")
    assert immortal.POSSIBLE == ((3, 12) <= sys.version_info[:2] < (3, 14))
