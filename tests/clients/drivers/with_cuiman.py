"""cuiman, by its client for scripts."""

from __future__ import annotations

from typing import Any

from cuiman.api import Client
from gavicore.models import ProcessRequest
from telling import EVERYTHING, SERVER, ended, read, refused, tell

ASYNC = {"Prefer": "respond-async"}
client = Client(api_url=SERVER)


def problem(error: Any) -> str:
    return str(error.api_error.model_dump_json())


def execute(inputs: dict[str, Any], process_id: str = "echo", **headers: Any) -> Any:
    return client.execute_process(process_id, ProcessRequest(inputs=inputs), **headers)


def results(job_id: str, prefer: str | None) -> Any:
    found = client.get_job_results(job_id, headers={"Prefer": prefer} if prefer else {})
    return found.model_dump(mode="json", exclude_none=True)


def status(job_id: str) -> str:
    return str(client.get_job(job_id).status.value)


seen: dict[str, Any] = {
    "landing": [link.rel for link in client.get_capabilities().links],
    "conformance": client.get_conformance().conformsTo,
    "processes": [process.id for process in client.get_processes().processes],
}
seen["elsewhere"] = [process.id for process in Client(api_url=f"{SERVER}/ogc-api/").get_processes().processes]
seen["described"] = {process_id: sorted(client.get_process(process_id).inputs) for process_id in seen["processes"]}

seen["executed"] = execute({"echoInput": "hi"})
seen["bad input"] = refused(lambda: execute({"echoInput": 5}), problem)
accepted = execute(EVERYTHING, headers=ASYNC)
seen["accepted"] = [accepted.status.value]
seen["ended"] = ended(lambda: status(accepted.jobID))
seen["listed"] = accepted.jobID in [job.jobID for job in client.get_jobs().jobs]
seen["one job"] = len(client.get_jobs(params={"limit": 1}).jobs)
seen["read"] = read(results)

seen["template"] = client.create_execution_request("echo").inputs
template = client.create_execution_request("grow")
template.inputs = {"box": {"bbox": [7, 46, 8, 47]}, "degrees": 0.5}
seen["executed by a template"] = client.execute_process("grow", template.to_process_request())

running = execute({"echoInput": "hi", "pause": 600}, headers=ASYNC).jobID
seen["not ready"] = refused(lambda: client.get_job_results(running), problem)
seen["dismissed"] = client.dismiss_job(running).status.value
seen["after that"] = status(running)
seen["removed"] = client.dismiss_job(accepted.jobID).status.value
seen["no such job"] = refused(lambda: client.get_job(accepted.jobID), problem)
seen["no such process"] = refused(lambda: client.get_process("none"), problem)

one = ProcessRequest(inputs={"echoInput": "hi"}, outputs={"echoInput": {}})
seen["as JSON"] = client.execute_process("echo", one, headers={"Accept": "application/json"})
seen["limits"] = {
    "`execute_process` for one output that is a text": refused(lambda: client.execute_process("echo", one)),
}
client.close()
tell(seen)
