"""Variants of tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thorough(*values: Any) -> Any:
    """Values of a parameter that are tried with --thorough alone."""
    return pytest.param(*values, marks=pytest.mark.thorough)


def first(values: Iterable[Any], always: int) -> list[Any]:
    """The first of some values of a parameter always, the others with --thorough alone."""
    given = list(values)
    return [*given[:always], *map(thorough, given[always:])]
