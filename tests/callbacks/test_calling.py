"""When who delivers is taken to do nothing any more, and ended."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from support.stores import open_store

from geomill.app.config import Settings
from geomill.app.engine.calling import CHORE, STUCK, Calling
from geomill.app.engine.children import Children
from geomill.app.engine.runtime import CALLING
from geomill.app.engine.stores import Stores


@pytest.mark.parametrize(
    ("since_begun", "since_sign", "lives"),
    [
        (1.0, 10 * STUCK, True),  # the sign is of the one before; this one still loads what it needs
        (1.0, 1.0, True),
        (10 * STUCK, 1.0, True),
        (10 * STUCK, 10 * STUCK, False),
    ],
)
def test_who_gives_no_sign_of_life_for_long_is_ended(
    tmp_path: Path, since_begun: float, since_sign: float, lives: bool
) -> None:
    store = open_store(tmp_path)
    settings = Settings(home=store.home, runtime_dir=store.runtime)
    children = Children(set, lambda: None, lambda _: None)
    calling = Calling(settings, Stores(store), children)
    calling.begun = time.monotonic() - since_begun
    (store.runtime / CALLING).touch()
    os.utime(store.runtime / CALLING, (time.time() - since_sign,) * 2)
    with subprocess.Popen(["sleep", "60"]) as chore:
        children.chores[chore.pid] = CHORE
        calling.look(time.monotonic())
        try:
            chore.wait(0.5)
        except subprocess.TimeoutExpired:
            assert lives
            chore.kill()
        else:
            assert not lives
