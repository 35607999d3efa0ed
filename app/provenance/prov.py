"""A run in W3C PROV: PROV-JSON written here, which the library `prov` turns into the other encodings.

Sources: https://www.w3.org/TR/prov-dm/, https://www.w3.org/Submission/prov-json/
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from geomill.app.exchange import NotAcceptable
from geomill.app.exchange.values import Content, Given, Reference, Several, Value
from geomill.jobstore import Result

from .record import REUSED, Run, Step, sha256, time

Json = Any
Attributes = dict[str, Json]

JSON = "application/json"
ENCODINGS: dict[str, dict[str, str]] = {  # how the library writes each media type
    "text/provenance-notation": {"format": "provn"},
    "application/xml": {"format": "xml"},
    "text/xml": {"format": "xml"},
    "text/turtle": {"format": "rdf", "rdf_format": "turtle"},
    "application/ld+json": {"format": "rdf", "rdf_format": "json-ld"},
    "application/n-triples": {"format": "rdf", "rdf_format": "nt", "encoding": "utf-8"},
}
LONGEST_VALUE = 4096  # characters; of a longer value only its size and checksum are told
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Addresses:
    """Where a run can be looked up. retried: the job that it repeats; output: by its id; file: by its path."""

    api: str
    process: str
    job: str
    retried: str | None
    output: Callable[[str], str]
    file: Callable[[str], str]


@dataclass
class _Graph:
    """A PROV-JSON document under construction."""

    content: dict[str, dict[str, Attributes]] = field(default_factory=dict)

    def add(self, kind: str, name: str, /, **attributes: Json) -> str:
        """A node; attributes are written with a double underscore for the colon, unset ones are left out."""
        told = {key.replace("__", ":"): _plain(value) for key, value in attributes.items() if value is not None}
        self.content.setdefault(kind, {})[name] = told
        return name

    def relate(self, kind: str, **names: str) -> None:
        """A relation between nodes, without a name of its own."""
        relations = self.content.setdefault(kind, {})
        relations[f"_:{kind}{len(relations) + 1}"] = {f"prov:{role}": name for role, name in names.items()}


def document(run: Run, at: Addresses) -> dict[str, Json]:
    """The run in PROV-JSON: a job is an activity, its process the plan, its inputs and outputs entities."""
    graph = _Graph()
    status, description = run.status, run.description
    agent = graph.add(
        "agent", "api:geomill", prov__type=_name("prov:SoftwareAgent"), prov__label="geomill",
        schema__softwareVersion=version("geomill"),
    )  # fmt: skip
    plan = graph.add(
        "entity", f"process:version-{_local(run.job.version)}", prov__type=_name("prov:Plan"),
        prov__label=description.get("title") or run.job.process_id, prov__location=_uri(at.process),
        schema__identifier=run.job.process_id, schema__version=run.job.version, schema__sha256=run.job.package,
    )  # fmt: skip
    job = graph.add(
        "activity", "job:run", prov__type=_name("wfprov:WorkflowRun" if run.is_workflow else "wfprov:ProcessRun"),
        prov__label=f"job {run.job.job_id}", prov__location=_uri(at.job), prov__startTime=time(status.started),
        prov__endTime=time(status.finished), api__created=time(run.job.created), api__status=status.status.value,
        api__message=status.message, api__cause=status.cause,
    )  # fmt: skip
    graph.relate("wasAssociatedWith", activity=job, agent=agent, plan=plan)
    for name, given in run.given.items():
        graph.relate("used", activity=job, entity=_input(graph, f"job:input.{_local(name)}", name, given))
    for name, result in run.results.items():
        entity = _output(graph, job, f"job:output.{_local(name)}", name, result, at)
        graph.content["entity"][entity].setdefault("prov:location", _uri(at.output(name)))
    for step in run.steps:
        _step(graph, step, job, agent)
    prefixes = {
        "schema": "https://schema.org/", "wfprov": "http://purl.org/wf4ever/wfprov#", "api": f"{at.api}#",
        "process": f"{at.process}#", "job": f"{at.job}#",
    }  # fmt: skip
    if at.retried is not None:
        prefixes["retried"] = f"{at.retried}#"
        _retry(graph, run, at.retried, job)
    return {"prefix": prefixes, **graph.content}


def encode(document: dict[str, Json], media_type: str) -> bytes:
    """A PROV-JSON document as another media type. Raises NotAcceptable where the library is missing."""
    content = json.dumps(document, ensure_ascii=False).encode()
    if media_type == JSON:
        return content
    try:
        from prov.model import ProvDocument  # with rdflib and lxml: only who asks for it waits for it
    except ImportError:
        raise NotAcceptable(f"Provenance as {media_type} needs geomill[cwl] here; there is {JSON}.") from None
    read = ProvDocument.deserialize(io.BytesIO(content), format="json")
    written: str = read.serialize(**ENCODINGS[media_type])
    return written.encode()


def _input(graph: _Graph, entity: str, label: str, given: Given) -> str:
    match given:
        case Several(items):
            graph.add("entity", entity, prov__type=_name("prov:Collection"), prov__label=label)
            for number, item in enumerate(items):
                member = _input(graph, f"{entity}.{number}", f"{label}[{number}]", item)
                graph.relate("hadMember", collection=entity, entity=member)
        case Reference(href, media_type):
            graph.add("entity", entity, prov__label=label, prov__location=_uri(href), schema__encodingFormat=media_type)
        case Content(data, media_type):
            about = _of_file(len(data), hashlib.sha256(data).hexdigest())
            graph.add("entity", entity, prov__label=label, schema__encodingFormat=media_type, **about)
        case Value(value):
            graph.add("entity", entity, prov__label=label, **_of_value(value))
    return entity


def _output(graph: _Graph, job: str, entity: str, label: str, result: Result, at: Addresses) -> str:
    """An output or a part of one; what is made of several has them as its members."""
    parts: dict[str, Result] = {}
    about: Attributes = {"prov__type": _name("prov:Collection")}
    if result.file is not None:
        about = {"prov__location": _uri(at.file(result.file)), "schema__encodingFormat": result.media_type,
                 "schema__contentSize": result.size, "schema__sha256": sha256(result)}  # fmt: skip
    elif result.items is not None:
        parts = {str(number): item for number, item in enumerate(result.items)}
    elif result.members is not None:
        parts = dict(result.members)
    elif result.folder is not None:
        start = len(f"{result.folder}/")
        parts = {str(file.file)[start:]: file for file in result.listing or ()}
        about["schema__encodingFormat"] = result.media_type
    else:
        about = {"schema__encodingFormat": result.media_type, **_of_value(result.value)}
    graph.add("entity", entity, prov__label=label, **about)
    graph.relate("wasGeneratedBy", entity=entity, activity=job)
    for name, part in parts.items():
        member = _output(graph, job, f"{entity}.{_local(name)}", _part(label, name, result), part, at)
        graph.relate("hadMember", collection=entity, entity=member)
    return entity


def _step(graph: _Graph, step: Step, job: str, agent: str) -> None:
    """A step; the server's own has no tool."""
    activity = graph.add(
        "activity", _step_name(step), prov__type=_name("wfprov:ProcessRun"), prov__label=step.name,
        prov__startTime=time(step.started), prov__endTime=time(step.ended), api__outcome=step.outcome,
        api__exitCode=step.exit_code, api__seconds=step.seconds, api__peakMemory=step.peak_memory,
    )  # fmt: skip
    plan = {}
    if step.tool:
        tool = f"process:tool.{_local(step.tool)}"
        plan["plan"] = graph.add("entity", tool, prov__type=_name("prov:Plan"), prov__label=step.tool)
    graph.relate("wasAssociatedWith", activity=activity, agent=agent, **plan)
    graph.relate("wasInformedBy", informed=activity, informant=job)


def _retry(graph: _Graph, run: Run, address: str, job: str) -> None:
    """The run that this one repeats: what it had finished, the steps that were reused have from it."""
    earlier = graph.add("activity", "retried:run", prov__label=f"job {run.job.retry_of}", prov__location=_uri(address))
    reused = [_step_name(step) for step in run.steps if step.outcome == REUSED]
    for activity in (job, *reused):
        graph.relate("wasInformedBy", informed=activity, informant=earlier)


def _step_name(step: Step) -> str:
    return f"job:step.{_local(step.name)}"


def _part(label: str, name: str, whole: Result) -> str:
    """What a part is called for people."""
    if whole.items is not None:
        return f"{label}[{name}]"
    return f"{label}.{name}" if whole.members is not None else f"{label}/{name}"


def _of_file(size: int, sha256: str) -> Attributes:
    return {"schema__contentSize": size, "schema__sha256": sha256}


def is_long(text: str) -> bool:
    """Whether a value is told by its size alone: more than a reader wants, or in characters that XML lacks."""
    return len(text) > LONGEST_VALUE or bool(_NO_XML.search(text))


def _of_value(value: Json) -> Attributes:
    """A value itself where it is short, else what it weighs as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if is_long(text):
        content = text.encode()
        return _of_file(len(content), hashlib.sha256(content).hexdigest())
    return {"prov__value": value if isinstance(value, bool | int | float) else text}


def _plain(value: Json) -> Json:
    """An attribute as PROV-JSON has it, in characters that XML has, too."""
    if isinstance(value, str):
        return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, int) and abs(value) >= 2**31:  # which the library would call an xsd:int
        return {"$": str(value), "type": "xsd:integer"}
    return value


def _uri(address: str) -> Json:
    return {"$": address, "type": "xsd:anyURI"}


def _name(name: str) -> Json:
    return {"$": name, "type": "prov:QUALIFIED_NAME"}


def _local(name: str) -> str:
    """A name as the end of a qualified name, which XML wants to be of letters, digits, dots and dashes."""
    return re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_" if found[0] != "_" else "_", name)
