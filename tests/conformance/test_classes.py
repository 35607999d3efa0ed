"""The conformance classes: /conformance lists none without tests for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from geomill.app.api.conformance import classes

ROOT = Path(__file__).parents[2]
SPEC = "http://www.opengis.net/spec/"
RESOURCES, LISTS, JOBS = "api/test_resources.py::", "api/test_lists.py::", "api/test_jobs.py::"
EXECUTION, RESULTS, TABLE = "api/test_execution.py::", "api/test_results.py::", "api/test_results_table.py::"
ERRORS, METHODS, STATUSES = "api/test_errors.py::", "api/test_methods.py::", "api/test_statuses.py::"
INPUTS, PREFER = "exchange/test_inputs.py::", "exchange/test_prefer.py::"
DEPLOYMENT, PACKAGES, PAGES = "api/test_deployment.py::", "api/test_packages.py::", "api/test_pages.py::"
SUITE_2 = "conformance/test_ets.py::test_every_line_of_the_test_suite_of_part_2_passes"
SUITE = "conformance/test_ets.py::test_every_line_of_the_test_suite_passes"

CORE = (
    RESOURCES + "test_every_link_of_the_landing_page_leads_to_its_media_type",
    RESOURCES + "test_conformance_lists_the_core_of_both_versions",
    LISTS + "test_a_process_is_listed_with_its_links_and_not_with_its_inputs",
    LISTS + "test_the_pages_of_the_process_list_hold_each_process_once",
    INPUTS + "test_a_value_is_understood_in_every_form",
    INPUTS + "test_a_wrong_value_is_refused_with_its_place_and_what_was_expected",
    INPUTS + "test_a_value_by_reference_is_fetched_and_parsed",
    PREFER + "test_prefer_and_the_description_decide_the_mode",
    EXECUTION + "test_prefer_decides_how_it_is_answered",
    EXECUTION + "test_an_accepted_job_is_named_and_shown",
    EXECUTION + "test_a_failure_is_the_answer_and_stays_it",
    JOBS + "test_a_status_has_the_members_of_both_versions",
    JOBS + "test_a_running_job_links_to_its_monitor_and_not_to_results",
    TABLE + "test_the_form_of_results_follows_the_request",
    ERRORS + "test_each_problem_has_its_type",
    METHODS + "test_head_is_wherever_get_is",
)
DESCRIPTION = (
    LISTS + "test_inputs_keep_the_order_of_their_description",
    "processes/test_echo.py",
    "processes/test_authoring.py",
)
JSON = (
    ERRORS + "test_json_is_what_everybody_else_gets",
    STATUSES + "test_a_documented_status_is_answered",
)
HTML = (
    PAGES + "test_every_document_is_a_page_too",
    PAGES + "test_every_page_is_closed",
    PAGES + "test_an_error_is_a_page_that_is_closed",
)
OPENAPI = (
    RESOURCES + "test_the_definition_is_valid_openapi",
    RESOURCES + "test_the_definition_comes_as_the_client_likes_it",
    RESOURCES + "test_the_page_of_the_definition_is_closed_and_names_every_operation",
    RESOURCES + "test_every_documented_path_is_served_and_no_other",
    STATUSES + "test_every_documented_status_has_a_way_to_it_and_no_other",
    "conformance/test_fuzz.py::test_every_answer_to_a_generated_request_is_a_documented_one",
)
JOB_LIST = (
    LISTS + "test_a_parameter_means_this",
    LISTS + "test_jobs_are_found_by",
    LISTS + "test_jobs_are_listed_newest_first_page_by_page",
    LISTS + "test_a_page_of_jobs_stays_right_while_jobs_arrive",
    LISTS + "test_jobs_that_have_ended_are_found_by",
)
DISMISS = (
    JOBS + "test_a_running_job_is_dismissed_and_then_removed",
    JOBS + "test_a_waiting_job_is_dismissed_before_it_begins",
    JOBS + "test_a_finished_job_is_removed",
)
TELLING = "callbacks/test_telling.py::"
CALLBACK = (
    TELLING + "test_results_arrive_signed",
    TELLING + "test_it_is_a_results_document_whatever_the_answer_would_be",
    TELLING + "test_a_failure_arrives_as_the_problem_that_it_is",
    TELLING + "test_progress_then_the_end",
)
OF_1_0 = (SUITE, EXECUTION + "test_an_answer_in_the_style_of_1_0_names_its_job_in_location_and_has_no_link")
OF_2_0 = (
    EXECUTION + "test_an_answer_in_the_style_of_2_0_names_its_job_in_a_link",
    RESULTS + "test_one_output_has_an_address_of_its_own",
    RESULTS + "test_a_document_has_the_outputs_asked_for",
    RESULTS + "test_an_output_that_is_not_there",
)
DEPLOY = (
    DEPLOYMENT + "test_a_deployed_process_is_named_summarized_listed_described_and_given_back",
    DEPLOYMENT + "test_a_process_that_is_there_is_not_deployed_again",
    DEPLOYMENT + "test_a_process_of_the_server_stays_as_it_is",
    DEPLOYMENT + "test_a_process_of_the_server_has_no_package",
    DEPLOYMENT + "test_a_process_that_is_not_there_cannot_be_changed",
    DEPLOYMENT + "test_a_replaced_process_is_the_new_one_at_once",
    DEPLOYMENT + "test_an_undeployed_process_is_gone_and_its_id_free",
    DEPLOYMENT + "test_a_page_of_processes_counts_the_deployed_ones_and_begins_with_them",
    DEPLOYMENT + "test_the_definition_of_the_api_tells_how_to_deploy",
    PACKAGES + "test_any_other_media_type_is_refused_before_anything_else",
    "engine/test_deploying.py::test_every_worker_knows_a_process_as_soon_as_it_is_deployed",
    SUITE_2,
)
OGC_PACKAGES = (
    PACKAGES + "test_a_package_is_understood_under_every_media_type",
    PACKAGES + "test_an_execution_unit_is_understood_in_every_form",
    PACKAGES + "test_what_a_client_says_is_laid_over_what_the_document_says",
    DEPLOYMENT + "test_a_document_is_fetched_and_the_package_given_back_as_it_came",
    SUITE_2,
)
OF_CWL = (
    PACKAGES + "test_a_package_is_understood_under_every_media_type",
    DEPLOYMENT + "test_w_names_a_process_of_the_document",
    DEPLOYMENT + "test_without_w_the_workflow_is_found_that_is_no_step",
    DEPLOYMENT + "test_a_w_that_is_not_in_the_document_is_told_what_is",
    "engine/test_deploying.py::test_what_is_deployed_runs",
    SUITE_2,
)
TESTS: dict[str, tuple[str, ...]] = {
    SPEC + "ogcapi-processes-1/1.0/conf/core": CORE + OF_1_0,
    SPEC + "ogcapi-processes-1/1.0/conf/ogc-process-description": (*DESCRIPTION, SUITE),
    SPEC + "ogcapi-processes-1/1.0/conf/json": JSON,
    SPEC + "ogcapi-processes-1/1.0/conf/html": HTML,
    SPEC + "ogcapi-processes-1/1.0/conf/oas30": OPENAPI,
    SPEC + "ogcapi-processes-1/1.0/conf/job-list": (*JOB_LIST, SUITE),
    SPEC + "ogcapi-processes-1/1.0/conf/callback": CALLBACK,
    SPEC + "ogcapi-processes-1/1.0/conf/dismiss": DISMISS,
    SPEC + "ogcapi-processes-1/2.0/conf/core": CORE + OF_2_0,
    SPEC + "ogcapi-processes-1/2.0/conf/ogc-process-description": DESCRIPTION,
    SPEC + "ogcapi-processes-1/2.0/conf/json": JSON,
    SPEC + "ogcapi-processes-1/2.0/conf/html": HTML,
    SPEC + "ogcapi-processes-1/2.0/conf/oas": OPENAPI,
    SPEC + "ogcapi-processes-1/2.0/conf/oas30": OPENAPI,
    SPEC + "ogcapi-processes-1/2.0/conf/job-list": JOB_LIST,
    SPEC + "ogcapi-processes-1/2.0/conf/callback": CALLBACK,
    SPEC + "ogcapi-processes-1/2.0/conf/dismiss": DISMISS,
    SPEC + "ogcapi-processes-2/1.0/conf/deploy-replace-undeploy": DEPLOY,
    SPEC + "ogcapi-processes-2/1.0/conf/ogcapppkg": OGC_PACKAGES,
    SPEC + "ogcapi-processes-2/1.0/conf/cwl": OF_CWL,
    SPEC + "ogcapi-common-1/1.0/conf/core": CORE[:2],
    SPEC + "ogcapi-common-1/1.0/conf/json": JSON,
}


def test_every_class_that_is_listed_has_tests_and_no_other() -> None:
    assert set(TESTS) == set(classes())


def test_without_what_reads_packages_their_classes_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geomill.app.cwl.validate.find_spec", lambda name: None)
    part_2 = f"{SPEC}ogcapi-processes-2/1.0/conf/"
    assert [uri for uri in classes() if uri.startswith(part_2)] == [part_2 + "deploy-replace-undeploy"]


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """The ids of all tests that run, without their parameters; collected anew, whatever was chosen for this run."""
    files = sorted({name.partition("::")[0] for names in TESTS.values() for name in names})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *(f"tests/{file}" for file in files)]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.partition("[")[0].removeprefix("tests/") for line in lines if "::" in line}


@pytest.mark.parametrize("uri", TESTS)
def test_the_tests_of_a_class_are_run(collected: set[str], uri: str) -> None:
    known = collected | {name.partition("::")[0] for name in collected}
    assert [name for name in TESTS[uri] if name not in known] == []
