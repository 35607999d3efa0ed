"""The document of a CWL package: read from bytes, and the process in it that is to be deployed chosen.

cwltool is not needed here; the parser of YAML comes with it and is imported when there is something to parse.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from geomill.app.exchange.wording import listed, shown

VERSIONS = ("v1.0", "v1.1", "v1.2")
CLASSES = ("CommandLineTool", "ExpressionTool", "Workflow", "Operation")
LARGEST = 1 << 20  # bytes of a document; a second of work for every 200 kB
EXPANDED = 4 * LARGEST  # characters with every alias written out
DEEPEST = 64  # levels; an ordinary package has fifteen
ESCAPE = re.compile(r"\\(?:u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|.)", re.IGNORECASE | re.DOTALL)
TOO_DEEP = re.compile(rf"(?:[\[{{]\s*+){{{DEEPEST + 1}}}")
SURROGATE = re.compile("[\ud800-\udfff]")
HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

Document = Mapping[str, Any]


class InvalidPackage(ValueError):
    """What was sent is no CWL that could run anywhere; the text says where and why."""


class WorkflowNotFound(InvalidPackage):
    """The document has no process of the name asked for."""


class NoName(InvalidPackage):
    """The process has no id, and nobody has said what to call it."""


class Unsupported(InvalidPackage):
    """Valid CWL that this server cannot run."""


def parse(data: bytes) -> Any:
    """The mapping in YAML or JSON; it remembers lines and columns (`.lc`). Raises InvalidPackage."""
    if len(data) > LARGEST:
        raise InvalidPackage(f"The document has {len(data)} bytes; at most {LARGEST} are read.")
    text = _text(data)
    try:
        document = _parsed(text)
    except InvalidPackage as error:
        raise _one_line(text) or error from None
    if not isinstance(document, dict):
        found = "nothing" if document is None else shown(document)
        raise _one_line(text) or InvalidPackage(f"A CWL document is a mapping with a cwlVersion, not {found}.")
    _check(document)
    _check_version(document)
    return document


def entry(document: Document, w: str | None = None) -> str:
    """The id of the process to deploy, as `$graph` has it without `#`; "" if the document is a single process.

    w: the id asked for; `-` and `_` may be mistaken for each other. Without it, of the processes that are no step of
    another: main, else the first workflow, else the first. Raises WorkflowNotFound, naming what there is.
    """
    asked = w.removeprefix("#") if w else ""
    if "$graph" not in document:
        own = _name(document.get("id"))
        if asked and own and asked != own and _folded(asked) != _folded(own):
            raise WorkflowNotFound(f'There is no process "{asked}" in the document, only {own}.')
        return ""
    processes = graph(document)
    if asked:
        alike = [each for each in processes if _folded(each) == _folded(asked)]
        if asked in processes or len(alike) == 1:
            return asked if asked in processes else alike[0]
        names = listed(processes, "and")
        raise WorkflowNotFound(f'There is no process "{asked}" in the document. There are {names}.')
    used = {run for process in processes.values() for run in runs(process)}
    free = [each for each in processes if each not in used] or list(processes)
    if "main" in free:
        return "main"
    return next((each for each in free if processes[each].get("class") == "Workflow"), free[0])


def process_id(document: Document, entry: str, w: str | None = None) -> str:
    """The id of the deployed process: its own, else the one asked for. Raises NoName, InvalidPackage."""
    named = _name(entry or document.get("id")) or (w or "").removeprefix("#")
    if not named:
        raise NoName("The process has no id. Give it one (id: my-process), or name it with ?w=my-process.")
    if not re.fullmatch(r"(?!\.+$)[\w.:~-]+", named):
        raise InvalidPackage(f"{shown(named)} cannot be the id of a process: letters, digits and _ . : ~ - only.")
    return named


def graph(document: Document) -> dict[str, Document]:
    """The processes of a `$graph`, given as a list or as a map, by their ids. Raises InvalidPackage."""
    given = document["$graph"]
    if isinstance(given, dict):
        pairs = [(key, value) for key, value in given.items()]
    elif isinstance(given, list):
        pairs = [(each.get("id") if isinstance(each, dict) else None, each) for each in given]
    else:
        raise InvalidPackage(f"{where(document, '$graph')}$graph must be a list of processes, not {shown(given)}.")
    processes: dict[str, Document] = {}
    for number, (key, process) in enumerate(pairs):
        place = where(given, key if isinstance(given, dict) else number)
        name = key.rpartition("#")[2] if isinstance(key, str) else ""
        if not isinstance(process, dict) or process.get("class") not in CLASSES:
            what = shown(process.get("class", process) if isinstance(process, dict) else process)
            raise InvalidPackage(f"{place}$graph must hold processes with a class ({listed(CLASSES)}), not {what}.")
        if not name:
            raise InvalidPackage(f"{place}Every process of a $graph needs an id; this {process['class']} has none.")
        if name in processes:
            raise InvalidPackage(f'{place}Two processes have the id "{name}".')
        processes[name] = process
    if not processes:
        raise InvalidPackage(f"{where(document, '$graph')}$graph is empty: there is no process to deploy.")
    return processes


def process(document: Document, entry: str) -> Document:
    """The process of an id in the document as it was sent; the document itself for ""."""
    return graph(document)[entry] if "$graph" in document else document


def check_class(process: Any, what: str) -> None:
    """Raise InvalidPackage for a process of no class that there is, naming it. what: the process is."""
    if process.get("class") not in CLASSES:
        found = f", not {shown(process['class'])}" if "class" in process else ""
        raise InvalidPackage(f"{where(process, 'class')}{what} must say its class ({listed(CLASSES)}){found}.")


def children(value: Any) -> Iterable[Any]:
    """The values of a mapping or list; none for anything else."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def where(container: Any, key: Any) -> str:
    """`line 3, column 5: ` of a member of a parsed mapping or list; "" if that is not known."""
    try:
        line, column = container.lc.data[key][:2]
    except (AttributeError, KeyError, TypeError):
        return ""
    return f"line {line + 1}, column {column + 1}: "


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _parsed(text: str) -> Any:
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    if TOO_DEEP.search(text):  # before the parser climbs up and down it for seconds
        raise InvalidPackage(f"The document is nested deeper than {DEEPEST} levels.")
    if text.lstrip().startswith("{"):  # what JSON may have and YAML not
        text = HIDDEN.sub(lambda each: f"\\u{ord(each[0]):04x}", ESCAPE.sub(_whole, text.replace("\t", " ")))
    try:
        return _yaml().load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = error.problem or error.context or "something is wrong"
        raise InvalidPackage(f"{place}This is not YAML: {problem.partition(chr(10))[0][:200]}.") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InvalidPackage(f"line {line}: This is not YAML: it has the character {error.character!r}.") from None
    except RecursionError:
        raise InvalidPackage(f"The document is nested deeper than {DEEPEST} levels.") from None
    except (YAMLError, ValueError, TypeError, AttributeError, LookupError, NotImplementedError) as error:
        digits = sys.get_int_max_str_digits()
        long = re.search(rf"\d{{{digits + 1},}}", text) if "integer string conversion" in str(error) else None
        if long:
            line = text.count("\n", 0, long.start()) + 1
            raise InvalidPackage(f"line {line}: A number has more than {digits} digits.") from None
        raise InvalidPackage(f"This is not YAML: {str(error).partition(chr(10))[0][:200]}.") from None


def _whole(escape: re.Match[str]) -> str:
    """An escape of JSON as YAML has it: two surrogates are one character."""
    if not escape[1]:
        return escape[0]
    return f"\\U{0x10000 + ((int(escape[1], 16) & 0x3FF) << 10) + (int(escape[2], 16) & 0x3FF):08x}"


@cache
def _constructor() -> Any:
    """What makes the values: as cwltool has them, dates are text."""
    from ruamel.yaml.constructor import RoundTripConstructor

    class Constructor(RoundTripConstructor):
        pass

    Constructor.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)
    return Constructor


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="rt", pure=True)
    yaml.Constructor = _constructor()
    return yaml


def _one_line(text: str) -> InvalidPackage | None:
    """The better error for a document without its line breaks."""
    if "\n" in text.strip() or not re.match(r"\s*(#.*cwlVersion:|cwlVersion:|class:|\$\w+:)", text):
        return None
    return InvalidPackage('The document has lost its line breaks, as with curl -d: send it with --data-binary "@file".')


def _check(document: Document) -> None:
    """Only what JSON has, not too deep, and not too large with every alias written out."""
    sizes: dict[int, int] = {}  # 0 while at work on it

    def size(value: Any, place: str, depth: int) -> int:
        if isinstance(value, str):
            if not value.isascii() and SURROGATE.search(value):
                raise InvalidPackage(f"{place}A text has half a character, which no text may have.")
            return len(value) + 1
        if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
            return 8
        if not isinstance(value, dict | list):
            raise InvalidPackage(f"{place}{str(value)[:40]} is nothing that JSON has.")
        if sizes.get(id(value)) == 0 or depth > DEEPEST:
            raise InvalidPackage(f"{place}The document is nested deeper than {DEEPEST} levels.")
        if id(value) not in sizes:
            sizes[id(value)] = 0
            inner = _members(value, place)
            sizes[id(value)] = 8 + sum(size(each, where(value, key), depth + 1) for key, each in inner)
            if sizes[id(value)] > EXPANDED:
                raise InvalidPackage(f"{place}Its aliases make the document larger than {EXPANDED} characters.")
        return sizes[id(value)]

    size(document, "", 0)


def _members(value: Any, place: str) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)
        return
    for key, inner in value.items():
        if not isinstance(key, str) or SURROGATE.search(key):
            raise InvalidPackage(f"{where(value, key) or place}The name of a member must be text, not {key!r:.40}.")
        yield key, inner


def _check_version(document: Document) -> None:
    if "cwlVersion" not in document:
        if {"executionUnit", "processDescription"} & set(document):
            raise InvalidPackage("This is an OGC application package: send it as application/ogcapppkg+json.")
        raise InvalidPackage("The document has no cwlVersion; it must say cwlVersion: v1.2 (or v1.0, v1.1).")
    given = document["cwlVersion"]
    version = re.sub(r"^(cwl:|https://w3id.org/cwl/cwl#)", "", given) if isinstance(given, str) else given
    place = where(document, "cwlVersion")
    if not isinstance(version, str) or version == "":
        raise InvalidPackage(f"{place}cwlVersion must be {listed(VERSIONS)}, not {shown(version)}.")
    if version not in VERSIONS:
        draft = " Update the document with cwl-upgrader." if "draft" in version else ""
        raise Unsupported(f"{place}This server runs CWL {listed(VERSIONS, 'and')}, not {shown(version)}.{draft}")


def _name(given: Any) -> str:
    """The last part of an identifier: `file:///x.cwl#tools/crop` is crop."""
    return given.rpartition("#")[2].rpartition("/")[2] if isinstance(given, str) else ""


def _folded(name: str) -> str:
    return name.replace("-", "_")


def runs(value: Any) -> Iterator[str]:
    """The processes of the same document that a process runs as steps, its own and those of processes inside it."""
    if isinstance(value, list):
        for inner in value:
            yield from runs(inner)
    elif isinstance(value, dict):
        if isinstance(value.get("run"), str):
            yield value["run"].rpartition("#")[2]
        for name in ("steps", "run"):
            inner = value.get(name)
            yield from runs(list(inner.values()) if name == "steps" and isinstance(inner, dict) else inner)
