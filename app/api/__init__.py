"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import (
    admin,
    assets,
    callbacks,
    conformance,
    definition,
    deploy,
    deployment,
    execution,
    forms,
    health,
    job_forms,
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
    uploads,
)

RESOURCES = (
    *(landing, conformance, definition, processes, deployment, uploads, execution, forms),
    *(jobs, job_forms, results, pictures, logs, steps, callbacks, provenance, problems, login, assets, deploy, admin),
    health,
)
BLUEPRINTS = [resource.bp for resource in RESOURCES]
