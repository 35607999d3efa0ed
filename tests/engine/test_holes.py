"""The free places between the objects of a process that forks."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import json
from geomill.app.engine import holes

def pages():
    "On how many pages 20 new objects of each of some sizes are."
    made = [[bytes(size - 33) for _ in range(20)] for size in (48, 64, 112, 256, 512)]
    return len({id(each) // 4096 for some in made for each in some})

kept = [bytes(size) for _ in range(400) for size in range(1, 480, 8)]
del kept[::37]
before = pages()
holes.fill()
print(json.dumps([before, pages(), len(holes._taken)]))
"""


def test_new_objects_lie_side_by_side_once_the_holes_are_filled() -> None:
    before, after, _ = told()
    assert before > 50 and after <= 15


def test_what_is_taken_has_an_end_where_objects_are_kept_in_another_way() -> None:
    *_, taken = told(PYTHONMALLOC="malloc")
    assert taken <= 32 * 4000


def told(**environ: str) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT], env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))
