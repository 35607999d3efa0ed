"""The samples in the clients' documentation, as they stand but for the host, the job, and the name of the package.

They are not ours to ship: where there are none beside this folder, nothing is tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from support.clients import Client
from support.documented import blocks
from support.mills import Mill

FOLDER = Path(__file__).parents[3] / "shared/seeds"
_CALL = re.compile(r"api_instance = (\w+)\.(\w+)\(api_client\).*?api_instance\.(\w+)\(", re.DOTALL)
# by their package: the client, and what its package is called where it is published
CLIENTS = {
    "ogc_api_client": ("ogc", "ogc_api_processes_client"),
    "ogcapi_processes_client": ("ogc", "ogc_api_processes_client"),
    "unity_sps_ogc_processes_api_python_client": ("unity", "unity_sps_ogc_processes_api_python_client"),
}
# by the package and the call that each is of
SAMPLES = {
    (found[1], f"{found[2]}.{found[3]}"): block
    for path in sorted(FOLDER.glob("*.txt"))
    for block in blocks("python", path.read_text())
    if (found := _CALL.search(block)) and found[1] in CLIENTS
}
BETWEEN = "---- the next sample"
GIVES = {
    "DismissApi.dismiss": "StatusInfo",
    "StatusApi.get_status": "StatusInfo",
    "JobsApi.dismiss_jobs_job_id_delete": "StatusInfo",
    "JobsApi.get_jobs_jobs_get": "JobListInput",
    "JobsApi.get_result_jobs_job_id_results_get": "InlineOrRefDataInput",
    "JobsApi.get_status_jobs_job_id_get": "StatusInfo",
}


@dataclass(frozen=True)
class Answer:
    """What a sample printed, and of which job."""

    printed: str
    job_id: str


@pytest.fixture(scope="module")
def answers(clients: dict[str, Client], mill: Mill) -> Callable[[str], dict[str, Answer]]:
    """Run all samples of a client, one after the other."""

    @cache
    def run(client: str) -> dict[str, Answer]:
        jobs, code = {}, []
        for (name, call), sample in SAMPLES.items():
            if CLIENTS[name][0] == client:
                jobs[call] = mill.submit("echo", echoInput="hi", numbersInput=[1, 2])
                mill.ended(jobs[call])
                sample = re.sub(r'host = "http://[\w./]+"', f'host = "{mill.url}"', sample)
                code.append(sample.replace("job_id_example", jobs[call]).replace(name, CLIENTS[name][1]))
        printed = clients[client].python(f"\nprint('{BETWEEN}')\n".join(code)).split(f"{BETWEEN}\n")
        return {call: Answer(text, jobs[call]) for call, text in zip(jobs, printed, strict=True)}

    return run


@pytest.mark.skipif(not SAMPLES, reason="the documentation of the clients is not shipped")
@pytest.mark.parametrize("name, call", SAMPLES or [("", "")])
def test_a_sample_prints_the_answer(answers: Callable[[str], dict[str, Answer]], name: str, call: str) -> None:
    answer = answers(CLIENTS[name][0])[call]
    said, _, shown = answer.printed.partition("\n\n")
    assert said == f"The response of {call.replace('.', '->')}:"
    assert f"{GIVES[call]}(" in shown and (answer.job_id in shown or "'numbersInput': " in shown), shown
