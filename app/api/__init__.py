"""The resources: one module, with one blueprint `bp`, for each row of the resource table."""

from geomill.app.api import conformance, definition, execution, jobs, landing, logs, problems, processes, results

BLUEPRINTS = [part.bp for part in (landing, conformance, definition, processes, execution, jobs, results, logs, problems)]
