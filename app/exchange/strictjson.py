"""JSON from strangers: the standard parser, fenced against what it accepts or chokes on."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

Json = Any
MAX_DEPTH = 64  # levels of arrays and objects

MOST = 200_000_000  # bytes of memory that a value may come to, roughly
_OF_VALUE, _OF_CONTAINER = 64, 128  # bytes of one, in Python and to who checks it, beside the text

# so many strings are taken at once: each costs memory while they are
_STRINGS = re.compile(rb'(?:[^"]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"){1,1000}+', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # possessive: linear on unclosed strings, too
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LARGE_NUMBER = re.compile(rb"\d{19}|[eE]\+?\d{3}")
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
    try:
        value = _parse(body.decode("utf-8-sig"), careful=bool(_LARGE_NUMBER.search(skeleton)))
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
    # converting numbers in Python is slow, so only where a large one may be
    if careful:
        return json.loads(text, parse_constant=_refuse, parse_int=_integer, parse_float=_number)
    return json.loads(text, parse_constant=_refuse)


def _skeleton(body: bytes) -> bytes:
    """What is outside of strings."""
    found, place = bytearray(), 0
    while block := _STRINGS.match(body, place):
        found += _STRING.sub(b"", block[0])
        place = block.end()
    return bytes(found + _STRING.sub(b"", body[place:]))


def _too_deep(skeleton: bytes) -> bool:
    """Whether brackets outside strings nest too deep; each round takes away the innermost pairs."""
    brackets = skeleton.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if b"[]" not in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH


def _refuse(constant: str) -> NoReturn:
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
