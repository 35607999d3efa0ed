"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import (
    assets,
    conformance,
    definition,
    deployment,
    execution,
    job_forms,
    jobs,
    landing,
    login,
    logs,
    problems,
    processes,
    provenance,
    results,
    steps,
)

RESOURCES = (
    *(landing, conformance, definition, processes, deployment, execution),
    *(jobs, job_forms, results, logs, steps, provenance, problems, login, assets),
)
BLUEPRINTS = [resource.bp for resource in RESOURCES]
