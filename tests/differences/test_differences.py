"""Differences from the reference engine: at least one test for each, over real sockets.

docs/explanation/differences.md lists them for readers, under the same numbers.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MENDED = "## Mended in later versions of the engine"
PAGE = ROOT / "docs/explanation/differences.md"

SHOWN: dict[int, tuple[str, ...]] = {
    1: (
        "test_operations_of_one_name_are_distinct",
        "tests/capabilities/test_corpus.py::test_each_operation_calls_the_expected_upstream",
        "tests/compiler/test_references.py::test_best_matches",
    ),
    2: (
        "test_placeholders_of_either_form_are_filled",
        "plugins/http/tests/test_corpus.py::test_every_consumed_operation_can_be_called",
    ),
    3: ("test_outputs_are_mapped_at_every_depth", "tests/compiler/test_outputs.py::test_output_parameters"),
    4: ("test_inputs_of_every_location_and_level_are_sent",),
    5: ("test_bodies_have_their_declared_type", "test_multipart_form_has_parts"),
    6: ("test_absent_field_is_not_sent",),
    7: (
        "test_binds_resolve_in_every_template",
        "tests/binds/test_binds.py::test_plugin_source_reads_each_used_key_once",
    ),
    8: ("test_passwords_and_headers_are_rendered",),
    9: ("test_upstream_error_is_passed_on", "tests/compiler/test_steps.py::test_failed_step_over_rest"),
    10: (
        "test_formats_are_parsed_in_steps",
        "plugins/http/tests/test_formats.py::test_callers_get_json",
    ),
    11: (
        "test_steps_use_lookups_and_nulls",
        "tests/compiler/test_steps.py::test_step_results_of_any_json_type",
    ),
    12: ("test_base_and_path_are_joined_by_one_slash", "test_with_accepts_every_reference_form"),
    13: (
        "test_head_options_and_405",
        "tests/compiler/test_forward.py::test_method_path_query_and_body_are_forwarded",
        "tests/compiler/test_forward.py::test_response_is_returned_unchanged",
    ),
    14: (
        "plugins/mcp/tests/test_stdio.py::test_stray_output_does_not_reach_the_client",
        "plugins/control/tests/test_endpoints.py::test_default_endpoints",
        "plugins/control/tests/test_endpoints.py::test_ready_until_drain",
        "plugins/control/tests/test_endpoints.py::test_degraded_when_an_exposer_fails",
        "plugins/control/tests/test_endpoints.py::test_config_contains_no_secret",
        "plugins/control/tests/test_endpoints.py::test_reload_returns_status_and_keeps_counters",
        "plugins/control/tests/test_logs.py::test_log_levels",
    ),
    15: ("test_two_protocols_share_a_function",),
    16: (
        "test_unknown_call_is_an_error",
        "test_constant_outputs_have_their_type",
    ),
    17: (
        "tests/cli/test_serve.py::test_port_in_use",
        "tests/cli/test_serve.py::test_missing_secret",
        "tests/host/test_host.py::test_failed_start_stops_the_started",
    ),
    18: (
        "test_inputs_are_validated_before_the_call",
        "tests/compiler/test_outputs.py::test_coerce_values",
        "tests/compiler/test_invalid_documents.py::test_invalid_document",
        "tests/document/test_strict.py::test_mutated_documents_have_same_verdict",
    ),
    19: (
        "test_template_text_is_not_accepted_as_secret",
        "tests/server/test_access.py::test_empty_secret_rejects_everyone",
        "tests/auth/test_digest.py::test_empty_secret_rejects_everyone",
    ),
    20: (
        "tests/compiler/test_forward.py::test_no_header_is_trusted_by_default",
        "tests/compiler/test_forward.py::test_upstream_credentials_and_constants_take_precedence",
    ),
    21: (
        "test_value_cannot_leave_its_part_of_the_url",
        "test_value_cannot_leave_its_json_string",
        "tests/compiler/test_forward.py::test_path_cannot_escape_the_base",
    ),
    22: (
        "test_host_and_origin_are_checked",
        "tests/server/test_access.py::test_hosts_and_origins_beyond_loopback",
        "plugins/mcp/tests/test_streams.py::test_invalid_session_id_is_ignored",
        "plugins/mcp/tests/test_sessions.py::test_session_memory_limit",
    ),
    23: (
        "test_errors_hide_internal_details",
        "plugins/mcp/tests/test_stdio.py::test_internal_error_hides_details",
        "plugins/http/tests/test_authentication.py::test_secrets_are_in_no_repr_and_no_log",
    ),
    24: (
        "test_undeclared_arguments_are_rejected",
        "test_bodies_and_responses_are_limited",
        "tests/host/test_host.py::test_call_limit",
        "plugins/resilience/tests/test_limits.py::test_rate_limit",
    ),
    25: (
        "tests/auth/test_authorization_server.py::test_introspected_tokens",
        "tests/auth/test_authorization_server.py::test_fetch_is_retried_soon_without_keys",
        "tests/auth/test_oauth2.py::test_invalid_claims",
    ),
    26: (
        "tests/plugin/test_files.py::test_only_plain_files_are_listed",
        "tests/plugin/test_files.py::test_paths_cannot_escape_the_folder",
        "plugins/skill/tests/test_files.py::test_other_paths_are_not_served",
        "plugins/skill/tests/test_files.py::test_archive",
    ),
    27: (
        "plugins/scripting/tests/test_escapes.py::test_javascript_sandbox",
        "plugins/scripting/tests/test_escapes.py::test_python_sandbox",
        "plugins/scripting/tests/test_limits.py::test_killed_worker_fails_one_call",
        "plugins/scripting/tests/test_scripts.py::test_error_names_step_script_and_line",
    ),
    28: ("test_empty_response_is_an_empty_result",),
    29: (
        "tests/compiler/test_arguments.py::test_inputs_default_to_those_of_the_target",
        "plugins/mcp/tests/test_tools.py::test_object_output_schema_is_unchanged",
    ),
    30: (
        "tests/compiler/test_functions.py::test_operation_inherits_from_its_function",
        "tests/compiler/test_functions.py::test_rest_and_mcp_share_a_function",
        "tests/compiler/test_functions.py::test_resource_refers_to_a_function",
    ),
    31: (
        "plugins/mcp/tests/test_resources.py::test_variables_are_decoded_and_used_in_with",
        "plugins/mcp/tests/test_resources.py::test_upstream_failure_is_an_internal_error",
    ),
    32: ("plugins/mcp/tests/test_prompts.py::test_prompt_arguments",),
    33: (
        "plugins/rest/tests/test_responses.py::test_errors_are_problem_json",
        "plugins/rest/tests/test_responses.py::test_forwarded_upstream_headers",
    ),
    34: ("plugins/http/tests/test_oauth2.py::test_token_is_requested_once",),
    35: ("test_call_and_steps_exclude_each_other",),
    36: (
        "plugins/mcp/tests/test_endpoint.py::test_endpoint_is_served_at_its_root_too",
        "plugins/mcp/tests/test_streamable_http.py::test_initialize_in_every_handshake_revision",
    ),
    37: (
        "tests/document/test_dialects.py::test_sections_are_imported",
        "tests/document/test_dialects.py::test_imported_exposer_brings_its_binds",
    ),
    38: (
        "plugins/http/tests/test_upstream.py::test_response_timeout",
        "tests/operation/test_failed_requests.py::test_request_that_was_sent",
    ),
    39: ("test_text_that_is_too_long_is_rejected",),
}
"""The tests that show each difference, by number: of `test_differences_of_*.py`, and some elsewhere that show more."""


def names(path: Path) -> set[str]:
    """Return the tests of a file, including methods."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


OWN = set().union(*map(names, Path(__file__).parent.glob("test_differences_of_*.py")))


@pytest.mark.parametrize("number", SHOWN)
def test_each_difference_has_tests(number: int) -> None:
    assert SHOWN[number]
    for test in SHOWN[number]:
        file, mark, name = test.rpartition("::")
        assert name in (names(ROOT / file) if mark else OWN), test


def test_page_and_table_have_same_numbers() -> None:
    text = PAGE.read_text()
    numbers = rows(text[: text.index(MENDED)])
    assert numbers == sorted(SHOWN) == list(range(1, len(SHOWN) + 1))


def test_mended_differences_are_rows_of_the_page() -> None:
    text = PAGE.read_text()
    mended = rows(text[text.index(MENDED) :])
    assert mended == sorted(set(mended))
    assert set(mended) < set(SHOWN)


def rows(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


def test_each_test_is_in_the_table() -> None:
    assert {name for name in OWN if name.startswith("test_")} <= {test for tests in SHOWN.values() for test in tests}
