"""A run as an RO-Crate: a Process Run Crate, and where a CWL document ran a Workflow Run Crate.

The JSON-LD is written here: a flat list of objects, for which the library `rocrate` would bring more than it spares.
Sources: https://w3id.org/ro/crate/1.1, https://w3id.org/ro/wfrun/process/0.5, https://w3id.org/ro/wfrun/workflow/0.5
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from geomill.app.cwl.types import LINK, LISTING
from geomill.app.exchange import schema as schemas
from geomill.app.exchange.values import Content, Given, Reference, Several, Value
from geomill.jobstore import Result, Status
from geomill.jobstore.records import dump

from . import credit
from .prov import is_long
from .record import Run, published, sha256, time
from .rerun import ORDER, REQUEST, Inline, job_order, readme, source_name

Json = Any
Node = dict[str, Json]

RESULTS = "results.json"
METADATA = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
WORKFLOW_RUN = "https://w3id.org/ro/wfrun/workflow/0.5"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    PROCESS_RUN: ("Process Run Crate", "0.5"),
    WORKFLOW_RUN: ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}]
UNLICENSED = "No license is stated; all rights stay with those who have them."
CWL = ("https://w3id.org/workflowhub/workflow-ro-crate#cwl", "Common Workflow Language", "https://www.commonwl.org/")
PYTHON = ("https://www.python.org/", "Python", "https://www.python.org/")
DATA_TYPES = {"string": "Text", "integer": "Integer", "number": "Number", "boolean": "Boolean"}
ENDS = {Status.SUCCESSFUL: "Completed", Status.FAILED: "Failed", Status.DISMISSED: "Failed"}


@dataclass(frozen=True)
class Entry:
    """A file of the crate. content: bytes, or where it lies; log: its lines have to be cut first."""

    name: str
    content: bytes | Path
    media_type: str
    log: bool = False


@dataclass
class _Graph:
    """The nodes of a crate by their ids."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def put(self, node: str, kind: str, /, **members: Json) -> Node:
        """A node, the one that is there if there is one; unset members are left out."""
        told = {member: value for member, value in members.items() if value is not None}
        return self.nodes.setdefault(node, {"@id": node, "@type": kind, **told})


def entries(run: Run, prov: bytes) -> list[Entry]:
    """The files of the crate of a job that has ended, its metadata first. prov: the run in PROV-JSON."""
    inline = Inline()
    order = job_order(run, inline)
    files = {f"outputs/{each.file}": each for each in published(run.results.values())}
    found = [
        Entry("README.md", readme(run, inline.folders if run.is_workflow else {}).encode(), "text/markdown"),
        Entry(source_name(run), run.source, "application/cwl" if run.is_workflow else "text/x-python"),
        Entry(REQUEST, dumps(run.request), "application/json"),
        *([Entry(ORDER, dumps(order), "application/json")] if run.is_workflow else ()),
        *([Entry(RESULTS, dumps(_plain(run.results)), "application/json")] if run.results else ()),
        Entry("prov.json", prov, "application/json"),
        *(Entry(name, content.data, content.media_type) for name, content in inline.files.items()),
        *(Entry(f"outputs/{each.file}", run.outputs / str(each.file), each.media_type) for each in files.values()),
        *(Entry(name, path, "text/plain", log=True) for name, path in run.logs.items()),
    ]
    return [Entry(METADATA, dumps(metadata(run, found, files)), "application/ld+json"), *found]


def metadata(run: Run, files: list[Entry], outputs: Mapping[str, Result]) -> Node:
    """The JSON-LD about a crate of these files. outputs: those of them that were published."""
    graph, profiles = _Graph(), list(PROFILES) if run.is_workflow else [PROCESS_RUN]
    title = run.description.get("title") or run.job.process_id
    conforms = [SPECIFICATION, *([WORKFLOW_CRATE] if run.is_workflow else [])]
    graph.put(METADATA, "CreativeWork", about=_ref("./"), conformsTo=_refs(conforms))
    root = graph.put(
        "./", "Dataset", name=f"A run of {title}", description=f"Job {run.job.job_id} of the process {title}.",
        datePublished=time(run.status.finished), license=UNLICENSED, conformsTo=_refs(profiles),
        mainEntity=_ref(_uri(source_name(run))), mentions=_ref("#run"),
    )  # fmt: skip
    for file in files:
        _put_file(graph, file, outputs.get(file.name))
    graph.nodes["README.md"]["about"] = _ref("./")
    _put_source(graph, run)
    _put_credits(graph, run)
    _put_action(graph, run, title)
    root["hasPart"] = _refs(name for name, node in graph.nodes.items() if _is_data(node))
    for profile in profiles:
        name, number = PROFILES[profile]
        graph.put(profile, "CreativeWork", name=name, version=number)
    return {"@context": CONTEXT, "@graph": list(graph.nodes.values())}


def dumps(value: Json) -> bytes:
    """JSON that people read, too."""
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def _plain(results: Mapping[str, Result]) -> Json:
    """The outputs by id as they are recorded: values, and the names of files below outputs/."""
    return {name: dump(result) for name, result in results.items()}


def _put_file(graph: _Graph, file: Entry, output: Result | None) -> None:
    size, digest = (output.size, sha256(output)) if output else (None, None)
    if isinstance(file.content, bytes):
        size, digest = len(file.content), hashlib.sha256(file.content).hexdigest()
    told = None if size is None else str(size)
    graph.put(_uri(file.name), "File", name=file.name, encodingFormat=file.media_type, contentSize=told, sha256=digest)


def _put_source(graph: _Graph, run: Run) -> None:
    """The document or file that ran, and the language it is in."""
    language, name, home = CWL if run.is_workflow else PYTHON
    graph.put(language, "ComputerLanguage", name=name, url=home)
    graph.nodes[_uri(source_name(run))] |= {
        "@type": ["File", "SoftwareSourceCode", *(["ComputationalWorkflow"] if run.is_workflow else [])],
        "name": run.description.get("title") or run.job.process_id,
        "identifier": run.job.process_id,
        "description": run.description.get("description") or None,
        "version": run.job.version,
        "sha256": run.job.package,
        "programmingLanguage": _ref(language),
    }


def _put_credits(graph: _Graph, run: Run) -> None:
    """The licence and the authors of the process, which are those of the crate, too."""
    found: Node = {}
    licence = credit.licence(run.description)
    if isinstance(licence, dict):
        graph.nodes.setdefault(licence["@id"], licence)
        licence = _ref(licence["@id"])
    if licence is not None:
        found["license"] = licence
    for author in credit.authors(run.description):
        graph.nodes.setdefault(author["@id"], author)
        found.setdefault("author", []).append(_ref(author["@id"]))
    for node in ("./", _uri(source_name(run))):
        graph.nodes[node] |= found


def _put_action(graph: _Graph, run: Run, title: str) -> None:
    """The run itself: what it took, what it gave, when, and how it ended."""
    source, status, inline = _uri(source_name(run)), run.status, Inline()
    taken = {
        name: list(_input(graph, name, f"#input-{quote(name)}", given, inline)) for name, given in run.given.items()
    }
    given = {name: list(_output(graph, name, f"#output-{quote(name)}", each)) for name, each in run.results.items()}
    ended = ENDS[status.status]
    graph.put(
        "#run", "CreateAction", name=f"Run of {title}", instrument=_ref(source), startTime=time(status.started),
        endTime=time(status.finished), actionStatus=f"http://schema.org/{ended}ActionStatus",
        description=f"Job {run.job.job_id}, which ended as {status.status.value}.{_retry(run)}",
        error=status.message if ended == "Failed" else None,
        object=_refs(each for group in taken.values() for each in group),
        result=_refs(each for group in given.values() for each in group),
    )  # fmt: skip
    if run.is_workflow:
        for side, groups in (("input", taken), ("output", given)):
            described = run.description.get(f"{side}s") or {}
            graph.nodes[source][side] = _refs(_parameters(graph, side, described, groups))


def _retry(run: Run) -> str:
    return f" It repeats job {run.job.retry_of}." if run.job.retry_of else ""


def _input(graph: _Graph, name: str, node: str, given: Given, inline: Inline) -> Iterator[str]:
    match given:
        case Several(items):
            for number, item in enumerate(items):
                yield from _input(graph, name, f"{node}-{number}", item, inline)
        case Content():
            yield _uri(inline.name(name, given))
        case Reference(href, media_type, candidates):
            kind = "Dataset" if any(map(schemas.is_directory, candidates)) else "File"
            graph.put(href, kind, name=name, description=f"The input {name}.", encodingFormat=media_type)
            yield href
        case Value(value):
            yield _property(graph, node, name, value, REQUEST)


def _output(graph: _Graph, name: str, node: str, result: Result) -> Iterator[str]:
    """An output, by its parts where it is an array or a record."""
    if result.items is not None:
        for number, item in enumerate(result.items):
            yield from _output(graph, name, f"{node}-{number}", item)
    elif result.members is not None:
        for member, each in result.members.items():
            yield from _output(graph, f"{name}.{member}", f"{node}-{quote(member)}", each)
    elif result.folder is not None:
        folder = _uri(f"outputs/{result.folder}/")
        parts = _refs(_uri(f"outputs/{each.file}") for each in result.listing or ())
        graph.put(folder, "Dataset", name=f"{name}/", description=f"The output {name}.", hasPart=parts)
        yield folder
    elif result.file is not None:
        yield _uri(f"outputs/{result.file}")
    else:
        yield _property(graph, node, name, result.value, RESULTS)


def _property(graph: _Graph, node: str, name: str, value: Json, file: str) -> str:
    """A value as a node; schema.org has numbers, texts and truths, all else is JSON in a text. file: has it, too."""
    plain = value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)
    graph.put(node, "PropertyValue", name=name, value=f"See {file}" if is_long(str(plain)) else plain)
    return node


def _parameters(
    graph: _Graph, side: str, described: Mapping[str, Json], groups: Mapping[str, list[str]]
) -> Iterator[str]:
    """What a workflow takes or gives, each with what it was in this run."""
    for name, each in described.items():
        parameter, examples = f"#{side}-parameter-{quote(name)}", groups.get(name, [])
        graph.put(
            parameter, "FormalParameter", name=name, description=each.get("description"),
            additionalType=_data_type(each.get("schema") or {}), workExample=_refs(examples) or None,
        )  # fmt: skip
        for example in examples:
            graph.nodes[example].setdefault("exampleOfWork", []).append(_ref(parameter))
        yield parameter


def _data_type(schema: schemas.Schema) -> str:
    """What schema.org calls the values of a schema; an array by its items."""
    branches = schemas.branches(schema)
    if all(map(schemas.is_directory, branches)) or any(LISTING.items() <= each.items() for each in branches):
        return "Dataset"
    if all(map(schemas.is_file, branches)) or any(LINK.items() <= each.items() for each in branches):
        return "File"
    if isinstance(schema.get("items"), dict):
        return _data_type(schema["items"])
    return DATA_TYPES.get(str(schema.get("type")), "PropertyValue")


def _is_data(node: Node) -> bool:
    """Whether a node is a file or a folder of the crate, or a file elsewhere."""
    return node["@id"] not in ("./", METADATA) and ("File" in node["@type"] or node["@type"] == "Dataset")


def _uri(name: str) -> str:
    return quote(name)


def _ref(name: str) -> Node:
    return {"@id": name}


def _refs(names: Iterable[str]) -> list[Node]:
    return [_ref(name) for name in dict.fromkeys(names)]
