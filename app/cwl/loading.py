"""From the document of a package to the process of cwltool, valid as a whole, without the network and without files.

Only jobs and the template they are forked from import this: cwltool takes half a second.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests
from cwl_utils.errors import WorkflowException
from cwltool.context import LoadingContext
from cwltool.errors import UnsupportedRequirement
from cwltool.load_tool import docloaderctx, load_tool
from cwltool.process import Process, get_schema
from cwltool.workflow import default_make_tool
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from schema_salad.exceptions import SchemaSaladException, ValidationException
from schema_salad.fetcher import Fetcher
from schema_salad.ref_resolver import Loader
from schema_salad.sourceline import add_lc_filename

from . import javascript
from .checking import check
from .document import VERSIONS, InvalidPackage, Unsupported, graph, parse
from .wording import readable

URI = "file:///package.cwl"  # stands for the document, wherever it is: nothing is ever read from it
EOAP = re.compile(r"https://raw\.githubusercontent\.com/eoap/schemas/(?:refs/(?:heads|tags)/)?[\w.-]+/([\w/.-]+\.yaml)")
TRIVIAL = (
    "cwlVersion: {}\nclass: ExpressionTool\nrequirements: {{InlineJavascriptRequirement: {{}}}}\n"
    "inputs: {{a: int}}\noutputs: {{b: int}}\nexpression: '${{return {{b: inputs.a}};}}'\n"
)

Construct = Callable[[CommentedMap, LoadingContext], Process]


def load(path: Path, entry: str, construct: Construct = default_make_tool) -> Process:
    """The process that a job runs, checked as a whole.

    entry: as document.entry gives it. construct: makes the process of every tool and step of the document.
    Raises InvalidPackage, whose text names lines and columns; Unsupported for what this server cannot run.
    """
    return make(parse(path.read_bytes()), entry, construct)


def make(document: Any, entry: str, construct: Construct = default_make_tool) -> Process:
    """The same from a parsed document, which is used up. Raises InvalidPackage."""
    check(document, bundled)
    javascript.use()
    try:
        with _quiet():
            tool = load_tool(f"{URI}#{entry}" if entry else URI, _context(_prepared(document), construct))
    except UnsupportedRequirement as error:
        raise Unsupported(readable(error, URI)) from None
    except (SchemaSaladException, WorkflowException) as error:
        raise InvalidPackage(readable(error, URI)) from None
    except RecursionError:
        raise InvalidPackage("The document runs or contains itself.") from None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, NotImplementedError) as error:
        # cwltool takes for granted what it has not checked yet
        told = readable(error, URI)
        raise InvalidPackage(
            f"The document is no valid CWL: cwltool gives up at it ({type(error).__name__}: {told})"
        ) from None
    return tool


def warm_up() -> None:
    """Read the schemas of CWL and evaluate something, so that whatever is forked from this process need not."""
    for version in VERSIONS:
        get_schema(version)
        make(parse(TRIVIAL.format(version).encode()), "")
    javascript.QuickJSEngine().eval("{return 1;}")


def bundled(url: str) -> str | None:
    """The text of a schema that packages import by its address, of our own copy; None for any other address."""
    match = EOAP.fullmatch(url.partition("#")[0])
    schema = files(__package__).joinpath("schemas", match[1].replace("/", "_")) if match else None
    return schema.read_text("utf-8") if schema and schema.is_file() else None


class _Fence(Fetcher):
    """Nothing but the bundled schemas: the document itself is in the loader's index already."""

    def __init__(self, cache: Any, session: object) -> None:
        pass

    def fetch_text(self, url: str, content_types: list[str] | None = None) -> str:
        text = bundled(url)
        if text is None:
            raise ValidationException(f"{url} is not part of the package, and nothing is fetched")
        return text

    def check_exists(self, url: str) -> bool:
        return url.startswith(URI) or bundled(url) is not None

    def urljoin(self, base_url: str, url: str) -> str:
        return url if url.startswith("_:") else urljoin(base_url, url)


def _context(document: CommentedMap, construct: Construct) -> LoadingContext:
    # a session, so that the loader makes none of its own with a cache in the home directory; it is never used
    loader = Loader(docloaderctx, fetcher_constructor=_Fence, skip_schemas=True, session=requests.Session())
    loader.idx[URI] = document
    return LoadingContext(
        {
            "construct_tool_object": lambda tool, context: construct(_each_type_once(tool), context),
            "fetcher_constructor": _Fence,
            "loader": loader,
            "doc_cache": False,
            "skip_schemas": True,
            "disable_js_validation": True,
        }
    )


def _prepared(document: CommentedMap) -> CommentedMap:
    """The document as cwltool would have it after reading: every alias written out, a `$graph` as a list, an id."""
    document = _separate(document, set())
    if isinstance(document.get("$graph"), dict):
        processes = CommentedSeq()
        for number, (name, process) in enumerate(graph(document).items()):
            process["id"] = name  # type: ignore[index]
            processes.append(process)
            processes.lc.add_idx_line_col(number, document["$graph"].lc.data.get(name) or [0, 0])
        document["$graph"] = processes
    document.setdefault("id", URI)
    add_lc_filename(document, URI)
    return document


def _each_type_once(tool: CommentedMap) -> CommentedMap:
    """A type that two imports bring along counts once: cwltool stumbles over the second."""
    for requirement in [*tool.get("requirements", ()), *tool.get("hints", ())]:
        if requirement.get("class") == "SchemaDefRequirement":
            types = {each["name"]: each for each in reversed(requirement["types"])}
            requirement["types"] = CommentedSeq(reversed(types.values()))
    return tool


def _separate(value: Any, seen: set[int]) -> Any:
    """cwltool changes in place what it reads, so nothing may be in two places."""
    if not isinstance(value, CommentedMap | CommentedSeq):
        return value
    if id(value) in seen:
        value = copy.deepcopy(value)
    seen.add(id(value))
    for key, inner in list(value.items() if isinstance(value, CommentedMap) else enumerate(value)):
        separate = _separate(inner, seen)
        if separate is not inner:
            value[key] = separate
    return value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What cwltool says while loading is in the error."""
    loggers = [logging.getLogger(name) for name in ("salad", "cwltool")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
