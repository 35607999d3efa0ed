"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import (
    conformance,
    definition,
    execution,
    jobs,
    landing,
    logs,
    problems,
    processes,
    provenance,
    results,
)

RESOURCES = (landing, conformance, definition, processes, execution, jobs, results, logs, provenance, problems)
BLUEPRINTS = [resource.bp for resource in RESOURCES]
