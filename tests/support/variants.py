"""Variants of tests."""

from __future__ import annotations

from typing import Any

import pytest


def thorough(*values: Any) -> Any:
    """Values of a parameter that are tried with --thorough alone."""
    return pytest.param(*values, marks=pytest.mark.thorough)
