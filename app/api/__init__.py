"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import (
    assets,
    conformance,
    definition,
    deployment,
    execution,
    jobs,
    landing,
    login,
    logs,
    pictures,
    problems,
    processes,
    provenance,
    results,
    steps,
)

RESOURCES = (
    *(landing, conformance, definition, processes, deployment, execution),
    *(jobs, results, logs, steps, provenance, pictures, problems, login, assets),
)
BLUEPRINTS = [resource.bp for resource in RESOURCES]
