"""ogc-api-processes-client, by its generated classes and by the wrapper that comes with them."""

from __future__ import annotations

from typing import Any

import ogc_api_processes_client as client
from ogc_api_processes_client.api_client_wrapper import ApiClientWrapper
from telling import EVERYTHING, SERVER, ended, read, refused, tell

ASYNC = {"Prefer": "respond-async"}
configuration = client.Configuration(host=SERVER)
api_client = client.ApiClient(configuration)
submit = ApiClientWrapper(configuration=configuration).execute_simple
execute = client.ExecuteApi(api_client).execute
describe = client.ProcessDescriptionApi(api_client).get_process_description
get_status = client.StatusApi(api_client).get_status
get_result = client.ResultApi(api_client).get_result
dismiss = client.DismissApi(api_client).dismiss
body = client.Execute.from_dict


def problem(error: Any) -> str:
    """Errors that the client knows have the document; of the others it keeps the text."""
    return str(error.data.to_json() if error.data else error.body)


def value(found: Any) -> Any:
    """What is in the client's wrappings."""
    while hasattr(found, "actual_instance"):
        found = found.actual_instance
    if isinstance(found, client.QualifiedInputValue):
        return found.value.oneof_schema_2_validator or value(found.value)
    return found.to_dict() if hasattr(found, "to_dict") else found


def results(job_id: str, prefer: str | None = None) -> dict[str, Any]:
    found = get_result(job_id, _headers={"Prefer": prefer} if prefer else None)
    return {name: value(output) for name, output in found.items()}


def status(job_id: str) -> str:
    return str(get_status(job_id).status.value)


seen: dict[str, Any] = {
    "landing": [link.rel for link in client.CapabilitiesApi(api_client).get_landing_page().links],
    "conformance": client.ConformanceDeclarationApi(api_client).get_conformance_classes().conforms_to,
    "processes": [process.id for process in client.ProcessListApi(api_client).get_processes().processes],
}
elsewhere = client.ApiClient(client.Configuration(host=f"{SERVER}/ogc-api/"))
seen["elsewhere"] = [process.id for process in client.ProcessListApi(elsewhere).get_processes().processes]
seen["described"] = {process_id: sorted(describe(process_id).inputs) for process_id in seen["processes"]}

box = {"box": {"bbox": [7.0, 46.0, 8.0, 47.0]}, "degrees": 0.5}
seen["executed"] = value(execute("grow", body({"inputs": box})))
seen["bad input"] = refused(lambda: execute("grow", body({"inputs": {"degrees": 0.5}})), problem)
accepted = submit("echo", {"inputs": EVERYTHING}, _headers=ASYNC)
seen["accepted"] = [accepted.status.value, execute("grow", body({"inputs": box}), _headers=ASYNC).status.value]
seen["ended"] = ended(lambda: status(accepted.job_id))
seen["listed"] = accepted.job_id in [job.job_id for job in client.JobListApi(api_client).get_jobs().jobs]
seen["read"] = read(results)

links = {"echoInput": {"transmissionMode": "reference"}}
text = submit("echo", {"inputs": {"echoInput": "hi"}, "outputs": links, "response": "document"}, _headers=ASYNC).job_id
ended(lambda: status(text))
seen["a text by reference"] = results(text)["echoInput"]

running = submit("echo", {"inputs": {"echoInput": "hi", "pause": 600}}, _headers=ASYNC).job_id
seen["not ready"] = refused(lambda: get_result(running), problem)
seen["dismissed"] = dismiss(running).status.value
seen["after that"] = status(running)
seen["removed"] = dismiss(accepted.job_id).status.value
seen["no such job"] = refused(lambda: status(accepted.job_id), problem)
seen["no such process"] = refused(lambda: describe("none"), problem)

place = {"geometry": {"value": {"type": "Point", "coordinates": [8, 47]}}, "distance": 1.5}
seen["limits"] = {
    "`execute` with a text": refused(lambda: body({"inputs": {"echoInput": "hi"}})),
    "`execute` with a whole number": refused(lambda: body({"inputs": {"pause": 1}})),
    "`execute` with an object": refused(lambda: execute("buffer", body({"inputs": place})), problem),
    "`execute` with `response: document`": refused(
        lambda: execute("grow", body({"inputs": box, "response": "document"}))
    ),
    "`get_jobs` with a `limit`": refused(lambda: client.JobListApi(api_client).get_jobs(limit=1)),
    "`execute_simple` without `Prefer`": refused(lambda: submit("echo", {"inputs": EVERYTHING})),
}
tell(seen)
