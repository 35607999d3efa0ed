"""JSON from strangers: the standard parser, fenced against what it accepts or chokes on."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from geomill.app import garbage

Json = Any
MAX_DEPTH = 64  # levels of arrays and objects

MOST = 200_000_000  # bytes of memory that a value may come to, roughly
_OF_VALUE, _OF_CONTAINER = 64, 128  # bytes of one, in Python and to who checks it, beside the text

_LONG = 1_000_000  # characters, which take some 20 ms
_PIECE = 65_536  # bytes that are looked at together: all the while no other thread gets a turn
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_LARGE_NUMBERS = b"0" * 19, b"e000", b"e+000"  # how one looks where all digits do
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def loads(body: bytes, most: float = MOST) -> Json:
    """The value of a JSON text in UTF-8. Of repeated members the last counts. most: bytes of memory, roughly.

    Raises ValueError, worded to follow the name of what was read: "is not UTF-8 ...", "holds the number ...".
    """
    if not body.strip():
        raise ValueError("is empty")
    # before the parser, which recurses
    skeleton = _skeleton(body)
    if _too_deep(skeleton):
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if _OF_VALUE * skeleton.count(b",") + _OF_CONTAINER * (skeleton.count(b"[") + skeleton.count(b"{")) > most:
        raise ValueError("holds too many values to be read at once; give large values by reference")
    careful = _may_hold_large_numbers(skeleton)
    del skeleton
    try:
        value = _parse(body.decode("utf-8-sig"), careful)
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 (at byte {error.start})") from None
    except UnicodeEncodeError:
        raise ValueError("holds half of a surrogate pair, which is no character") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    return value


def _parse(text: str, careful: bool) -> Json:
    # calls into Python are slow, so numbers are only looked at where a large one may be; and while there are none no
    # other thread gets a turn, so they are made for the sake of that where it takes long
    hooks: dict[str, Any] = {}
    if careful:
        hooks = {"parse_int": _integer, "parse_float": _number}
    elif len(text) > _LONG:
        hooks = {"parse_int": lambda digits: int(digits), "parse_float": lambda digits: float(digits)}
    if len(text) > _LONG:
        hooks["object_hook"] = lambda members: members
    # there are no cycles in it, and to look for some takes half as long again, in which no other thread gets a turn
    with garbage.put_off():
        return json.loads(text, parse_constant=refuse_constant, **hooks)


def _skeleton(body: bytes) -> bytes:
    """What is outside of strings; of what is no JSON, of all before it ceases to be."""
    found, place, inside = bytearray(), 0, False
    while place < len(body):
        end = place + _PIECE
        while body[end - 1 : end] == b"\\":  # what it escapes belongs to it
            end += 1
        parts = body[place:end].replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        found += b"".join(parts[inside::2])
        inside ^= len(parts) % 2 == 0
        place = end
    return bytes(found)


def _may_hold_large_numbers(skeleton: bytes) -> bool:
    """Whether a number may be there that Python takes, and others do not."""
    alike = skeleton.translate(_ALIKE)
    return any(large in alike for large in _LARGE_NUMBERS)


def _too_deep(skeleton: bytes) -> bool:
    """Whether brackets outside strings nest too deep; each round takes away the innermost pairs."""
    brackets = skeleton.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH


def refuse_constant(constant: str) -> NoReturn:
    """What the standard parser is to call for NaN and its like."""
    raise ValueError(f"holds {constant}, which JSON does not have")


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:
        raise ValueError(f"holds the number {text[:24]}{'...' if len(text) > 24 else ''}, which does not fit 64 bits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"holds the number {text[:24]}, which is too large")
    return value
