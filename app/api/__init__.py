"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import (
    admin,
    assets,
    conformance,
    definition,
    deploy,
    deployment,
    execution,
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
    *(jobs, results, logs, steps, provenance, problems, login, assets, deploy, admin),
)
BLUEPRINTS = [resource.bp for resource in RESOURCES]
