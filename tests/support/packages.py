"""CWL documents to deploy, small ones, and packages around them."""

from __future__ import annotations

import json
from typing import Any

import yaml

OGC = "application/ogcapppkg+json"
CWL = "application/cwl"

Json = dict[str, Any]


def tool(name: str = "greet", **changed: Any) -> Json:
    """A tool that prints a greeting."""
    document: Json = {
        "cwlVersion": "v1.2",
        "class": "CommandLineTool",
        "id": name,
        "label": "Greet",
        "doc": "Greets somebody.",
        "$namespaces": {"s": "https://schema.org/"},
        "s:softwareVersion": "1.2.3",
        "baseCommand": ["echo", "Hello"],
        "inputs": {"whom": {"type": "string", "default": "world", "inputBinding": {}}},
        "outputs": {"greeting": {"type": "stdout"}},
    }
    return {name: value for name, value in {**document, **changed}.items() if value is not None}


def graph(*names: str, **root: Any) -> Json:
    """A document of several workflows that run the same tool, `greet`."""
    inner = tool()
    root = {name: inner.pop(name) for name in ("cwlVersion", "$namespaces", "s:softwareVersion")} | root
    workflows = [
        {
            "class": "Workflow",
            "id": name,
            "inputs": {"whom": "string"},
            "outputs": {"greeting": {"type": "File", "outputSource": "step/greeting"}},
            "steps": {"step": {"run": "#greet", "in": {"whom": "whom"}, "out": ["greeting"]}},
        }
        for name in names
    ]
    return {**root, "$graph": [*workflows, inner]}


def as_yaml(document: Json) -> bytes:
    """A document as people write it."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode()


def as_json(document: Any) -> bytes:
    """A document as programs write it."""
    return json.dumps(document).encode()


def ogc(unit: Any, description: Any = None, **more: Any) -> bytes:
    """An OGC application package of an execution unit."""
    said = {} if description is None else {"processDescription": description}
    return as_json({**said, "executionUnit": unit, **more})


def docker(name: str = "bandmath", **changed: Any) -> bytes:
    """A package of a bare image, described in the shape of the one that the CITE suite sends."""
    description = {
        "id": name,
        "title": "Band mathematics",
        "version": "4.1.0",
        "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
        "outputTransmission": ["value", "reference"],
        "links": [],
        "additionalParameters": [{"name": "entry-point", "value": "/opt/bandmath"}],
        "inputs": {
            "images": {
                "title": "Images",
                "maxOccurs": 1024,
                "additionalParameters": [{"name": "pattern", "value": "-name value"}],
                "schema": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/tiff"},
            },
            "expression": {"schema": {"type": "string"}},
        },
        "outputs": {"image": {"schema": {"type": "string", "contentMediaType": "image/tiff"}}},
    }
    unit = {"type": "docker", "image": "docker://example.org/bandmath:4.1.0", "deployment": "local", "config": {}}
    profile = "http://www.opengis.net/profiles/eoc/dockerizedApplication"
    return ogc({**unit, **changed}, description, deploymentProfile=profile)
