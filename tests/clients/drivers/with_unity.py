"""unity-sps-ogc-processes-api-python-client, which can deploy, too."""

from __future__ import annotations

from typing import Any

import unity_sps_ogc_processes_api_python_client as client
from telling import EVERYTHING, PACKAGE, SERVER, ended, read, refused, tell

api_client = client.ApiClient(client.Configuration(host=SERVER))
processes, jobs, dru = client.ProcessesApi(api_client), client.JobsApi(api_client), client.DRUApi(api_client)
describe = processes.get_process_description_processes_process_id_get
get_status = jobs.get_status_jobs_job_id_get
get_result = jobs.get_result_jobs_job_id_results_get
dismiss = jobs.dismiss_jobs_job_id_delete


def problem(error: Any) -> str:
    """Errors that the client knows have the document; of the others it keeps the text."""
    return str(error.data.to_json() if error.data else error.body)


def value(found: Any) -> Any:
    """What is in the client's wrappings."""
    while hasattr(found, "actual_instance"):
        found = found.actual_instance
    if isinstance(found, client.QualifiedInputValueInput):
        return value(found.value)
    return found.to_dict() if hasattr(found, "to_dict") else found


def execute(inputs: dict[str, Any], prefer: str | None = None, process_id: str = "echo") -> Any:
    body = client.ExecuteWorkflows.from_dict({"inputs": inputs})
    return processes.execute_processes_process_id_execution_post(process_id, prefer=prefer, execute_workflows=body)


def results(job_id: str, prefer: str | None) -> dict[str, Any]:
    return {name: value(output) for name, output in get_result(job_id, prefer=prefer).items()}


def status(job_id: str) -> str:
    return str(get_status(job_id).status.value)


seen: dict[str, Any] = {
    "landing": [link.rel for link in client.LandingPageApi(api_client).get_landing_page_get().links],
    "definition": client.APIApi(api_client).get_api_api_get()["openapi"],
    "conformance": client.ConformanceApi(api_client).get_conformance_conformance_get().conforms_to,
    "processes": [process.id for process in processes.get_processes_processes_get().processes],
    "described": {"grow": sorted(describe("grow").inputs)},
}
elsewhere = client.ProcessesApi(client.ApiClient(client.Configuration(host=f"{SERVER}/ogc-api/")))
seen["elsewhere"] = [process.id for process in elsewhere.get_processes_processes_get().processes]

seen["executed"] = {name: value(found) for name, found in execute({"echoInput": "hi"}).actual_instance.items()}
seen["bad input"] = refused(lambda: execute({"echoInput": "hi", "pause": -1}), problem)
accepted = execute({**EVERYTHING, "mixedInput": "any"}, "respond-async")
seen["accepted"] = [accepted.status.value]
seen["ended"] = ended(lambda: status(accepted.job_id))
seen["listed"] = accepted.job_id in [job.job_id for job in jobs.get_jobs_jobs_get().jobs]
seen["read"] = read(results)

running = execute({"echoInput": "hi", "pause": 600}, "respond-async").job_id
seen["not ready"] = refused(lambda: get_result(running), problem)
seen["dismissed"] = dismiss(running).status.value
seen["after that"] = status(running)
seen["removed"] = dismiss(accepted.job_id).status.value
seen["no such job"] = refused(lambda: status(accepted.job_id), problem)
seen["no such process"] = refused(lambda: describe("none"), problem)

if PACKAGE:
    link = client.Link(href=PACKAGE, type="application/cwl")
    description = client.ProcessInput(id="words", version="1.0.0", keywords=["text"])
    package = client.Ogcapppkg(process_description=description, execution_unit=client.OgcapppkgExecutionUnit(link))
    deploy = dru.deploy_processes_post_with_http_info
    replace = dru.replace_processes_process_id_put_with_http_info
    undeploy = dru.undeploy_processes_process_id_delete_with_http_info
    seen["deployed"] = [deploy("count", package).status_code, describe("words").keywords]
    seen["deployed twice"] = refused(lambda: deploy("count", package), problem)
    package.process_description.keywords = ["words"]
    seen["replaced"] = [replace("words", package).status_code, describe("words").keywords]
    seen["undeployed"] = [undeploy("words").status_code]
    seen["undeployed twice"] = refused(lambda: undeploy("words"), problem)
    seen["replaced what is not there"] = refused(lambda: replace("words", package), problem)
    seen["undeployed what is shipped"] = refused(lambda: undeploy("echo"), problem)

point = {"type": "Point", "coordinates": [8, 47]}
seen["limits"] = {
    "the description of a process with a default": refused(lambda: describe("echo")),
    "an object as an input": refused(lambda: execute({"geometry": point, "distance": 1}, process_id="buffer")),
    "a qualified object as an input": refused(
        lambda: execute({"geometry": {"value": point}, "distance": 1}, process_id="buffer"), problem
    ),
    "`get_jobs_jobs_get` with a `limit`": refused(lambda: jobs.get_jobs_jobs_get(limit=1)),
    "`HealthApi`, which is not of the standard": refused(client.HealthApi(api_client).get_health_health_get, problem),
    "`get_api_processes_api_processes_list_get`, which is not of the standard": refused(
        client.APIApi(api_client).get_api_processes_api_processes_list_get, problem
    ),
}
tell(seen)
