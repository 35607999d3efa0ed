"""How the values of settings are read: numbers with units, folders, lists. Pure; standard library only."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from geomill.app import tenant_names
from geomill.app.egress.upstream import Upstream

_DECIMAL = {f"{prefix}b": 1000.0**power for power, prefix in enumerate(("", "k", "m", "g", "t"))}
SIZES = _DECIMAL | {f"{prefix}ib": 1024.0**power for power, prefix in enumerate("kmgt", 1)}
DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SPELLED = {unit.lower(): unit for unit in ("B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB")}
FLAGS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Kind:
    """parse(value, base) reads text or a TOML value, base being where relative paths start.

    It raises ValueError, TypeError or KeyError for what is not as expected says. secret: it may hold a password.
    written: a value as parse takes it, if not as Python writes it.
    """

    expected: str
    parse: Callable[[Any, Path], Any]
    unit: str = ""
    secret: bool = False
    written: Callable[[Any], str] | None = None

    def shown(self, value: Any) -> str:
        """A value as people may see it, and as geomill.toml takes it, but for what is longer than they want to read."""
        if self.written and value is not None:
            return self.written(value)
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        return re.sub(r"//.*@", "//...@", text) if self.secret else text


def _number(value: Any, units: Mapping[str, float]) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        number, unit = float(value), ""
    else:
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", value)
        if match is None:
            raise ValueError(value)
        number, unit = float(match[1]), match[2].lower()
    number *= units[unit] if unit else 1
    if not 0 <= number < float("inf"):
        raise ValueError(value)
    return number


def _with_unit(number: float, units: Mapping[str, float], about: Mapping[str, float]) -> str:
    """A number in the largest unit that it is whole in, if that is readable; else about, in one of these."""
    fitting = [unit for unit, size in units.items() if size <= (number or 1)] or [min(units, key=units.__getitem__)]
    whole = [unit for unit in fitting if number % units[unit] == 0 and number < 10_000 * units[unit]]
    unit = max(whole or [each for each in fitting if each in about], key=units.__getitem__)
    return f"{number / units[unit]:{'g' if whole else '.3g'}} {_SPELLED.get(unit, unit)}"


def _whole(number: float, least: int = 0, most: int | None = None) -> int:
    if number != int(number) or number < least or (most is not None and number > most):
        raise ValueError(number)
    return int(number)


def _above_zero(number: float) -> float:
    if number <= 0:
        raise ValueError(number)
    return number


def _kept(value: Any, base: Path) -> float:
    return 0.0 if value == "never" else _number(value, DURATIONS)


def _share(value: Any, base: Path) -> float:
    """A share of a whole, from 0 to 1; never: 0."""
    if value == "never":
        return 0.0
    percent = isinstance(value, str) and value.strip().endswith("%")
    share = _number(value.strip()[:-1], {}) / 100 if percent else _number(value, {})
    if share > 1:
        raise ValueError(value)
    return share


def _text(value: Any, base: Path) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    return value.strip()


def _flag(value: Any, base: Path) -> bool:
    return value if isinstance(value, bool) else FLAGS[_text(value, base).lower()]


def _path(value: Any, base: Path) -> Path:
    text = _text(value, base)
    if not text:
        raise ValueError(value)
    return Path(os.path.abspath(base / os.path.expanduser(text)))


def _many(value: Any, separator: str) -> list[Any]:
    return [part for part in value.split(separator) if part.strip()] if isinstance(value, str) else list(value)


def _allow(value: Any, base: Path) -> tuple[str, ...]:
    entries = tuple(_text(entry, base) for entry in _many(value, ","))
    for entry in entries:
        if not re.fullmatch(r"file:///.*|(\*\.)?[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?", entry):
            raise ValueError(entry)
    return entries


def _tenants(value: Any, base: Path) -> tuple[str, ...]:
    names = tuple(_text(name, base) for name in _many(value, ","))
    if not all(map(tenant_names.is_name, names)):
        raise ValueError(value)
    return names


def _roles(value: Any, base: Path) -> tuple[str, ...]:
    entries = tuple(_text(entry, base) for entry in _many(value, ","))
    if not all(re.fullmatch(r"[^=].*=(reader|executor|deployer|admin)", entry) for entry in entries):
        raise ValueError(value)
    return entries


def _web_address(value: Any, base: Path) -> str:
    text = _text(value, base)
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", text):
        raise ValueError(value)
    return text.rstrip("/")


def _proxy(value: Any, base: Path) -> str:
    text = _text(value, base)
    Upstream.of(text)
    return text


def _bucket(value: Any, base: Path) -> str:
    text = _text(value, base)
    if not re.fullmatch(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,254}(/[A-Za-z0-9._~-]+)*/?", text) or "/." in text:
        raise ValueError(text)
    return text.rstrip("/")


def integer(least: int, most: int | None = None) -> Kind:
    """Whole numbers from least to most."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    return Kind(f"a whole number {limits}", lambda value, base: _whole(_number(value, {}), least, most))


def _tiles(value: Any, base: Path) -> str:
    address = _text(value, base)
    parts = urlsplit(address)
    if address and (parts.scheme not in ("http", "https") or not all(f"{{{each}}}" in parts.path for each in "zxy")):
        raise ValueError
    if not re.fullmatch(r"[\w.:\[\]-]*", parts.netloc, re.ASCII):  # it becomes a part of the pages' security policy
        raise ValueError
    return address


def _one_of(*words: str) -> Kind:
    """One of these words."""
    return Kind(" or ".join(words), lambda value, base: {word: word for word in words}[_text(value, base)])


TEXT = Kind("text", _text)
FILE = Kind("a file", _path)
ISOLATION = _one_of("sandbox", "none")
LOG_FORMAT = _one_of("text", "json")
ANONYMOUS = _one_of("none", "reader", "executor")
VISIBILITY = _one_of("own", "all")
FLAG = Kind("true or false", _flag)
FOLDER = Kind("a folder", _path)
FOLDERS = Kind(
    f'folders (a list in geomill.toml, "{os.pathsep}" between them in the environment)',
    lambda value, base: tuple(_path(part, base) for part in _many(value, os.pathsep)),
)
ALLOW = Kind('hosts ("example.org", "*.example.org", "localhost:9000") or file prefixes ("file:///data/")', _allow)
TENANTS = Kind(f"names of {tenant_names.EXPECTED}, but for {', '.join(sorted(tenant_names.RESERVED))}", _tenants)
ROLES = Kind('roles of values, such as "geomill-users=executor"', _roles)
BUCKET = Kind('a bucket, and a prefix in it ("s3://bucket/prefix")', _bucket)
TILES = Kind("an http or https address with {z}, {x} and {y} in its path", _tiles)
WEB_ADDRESS = Kind("an http or https address without a query", _web_address)
PROXY = Kind("an address such as http://user:password@proxy.example.org:3128", _proxy, secret=True)
SECONDS = Kind(
    'seconds, or a duration such as "30 s", "5 min" or "2 h"',
    lambda value, base: _number(value, DURATIONS),
    unit="s",
    written=lambda value: _with_unit(value, DURATIONS, DURATIONS),
)
BYTES = Kind(
    'bytes, or a size such as "512 MB" or "2 GiB"',
    lambda value, base: _whole(_number(value, SIZES)),
    unit="bytes",
    written=lambda value: _with_unit(value, SIZES, _DECIMAL),
)
KEPT = Kind(
    'seconds, or a duration such as "30 d", or "never"',
    _kept,
    unit="s",
    written=lambda value: _with_unit(value, DURATIONS, DURATIONS) if value else "never",
)
SHARE = Kind(
    'a share such as 0.8 or "80 %", or "never"',
    _share,
    written=lambda value: f"{100 * value:g} %" if value else "never",
)
SOME_SECONDS = Kind(
    'seconds above 0, or a duration such as "30 s", "5 min" or "2 h"',
    lambda value, base: _above_zero(_number(value, DURATIONS)),
    unit="s",
    written=lambda value: _with_unit(value, DURATIONS, DURATIONS),
)
