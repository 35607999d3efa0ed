"""How messages show values and names, so that a sentence stays a sentence whatever was sent."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from typing import Any

LONGEST = 60  # characters of a value in a message


def shown(value: Any) -> str:
    """A value as JSON, shortened; large arrays and objects by their size or members."""
    if isinstance(value, dict):
        names = ", ".join(f'"{name[:30]}"' for name in list(value)[:4])
        return f"an object with {names}{' and more' if len(value) > 4 else ''}" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "an empty array"
    text = json.dumps(value[: LONGEST + 1] if isinstance(value, str) else value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip('"') + '..."'


def listed(names: Iterable[object], last: str = "or") -> str:
    """`a, b or c`; a long list ends in `...`."""
    texts = [str(name) for name in names]
    if len(texts) > 12:
        return ", ".join([*texts[:11], "..."])
    return f" {last} ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def meant(name: str, names: Iterable[str]) -> str:
    """` Did you mean "x"?` when a name is close to a known one, else what there is to choose from."""
    known = list(names)
    lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), lower, n=1)
    if close:
        return f' Did you mean "{lower[close[0]]}"?'
    if len(known) == 1:
        return f" There is only {known[0]}."
    return f" There are {listed(known, 'and')}." if known else " There are none."


def number(value: float) -> str:
    """A number as people read it: six digits or more, the whole ones all of them."""
    if isinstance(value, int):
        return str(value)
    size = abs(value)
    if not 1 <= size < 1e15:  # nan and infinity, too
        return f"{value:.6g}" if value else "0"
    return f"{value:.{max(1, 7 - len(str(int(size))))}f}".rstrip("0").rstrip(".")
