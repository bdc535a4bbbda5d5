"""The pack as a whole: exactly these rules, all mandatory, each with its table, and a page that says so."""

import ast
from itertools import chain
from pathlib import Path

import pytest
from pulumi_policy import EnforcementLevel

from policies import table as page
from policies.analyzer import APPROVAL
from policies.rules import CONCERNS, all_policies
from tests.components.recording import ROOT
from tests.policies import test_access, test_encryption, test_functions, test_monitoring, test_stack, test_storage
from tests.policies.table import COMPLIANT, MISSING, NOT_APPLICABLE, NOT_KNOWN, VIOLATING, Table, verdicts

pytestmark = pytest.mark.rows("K5")

RULES = [
    "kms-key-rotation",
    "kms-key-deletion-window",
    "kms-key-protected",
    "kms-key-principals",
    "kms-key-no-lockout",
    "kms-key-separation",
    "kms-encryption-context",
    "kms-no-grants",
    "iam-no-wildcard-action",
    "iam-no-wildcard-resource",
    "iam-named-principals",
    "iam-oidc-subject",
    "iam-oidc-boundary",
    "iam-boundary",
    "iam-confused-deputy",
    "iam-listed-managed-policy",
    "iam-no-long-lived-credential",
    "s3-complete",
    "s3-versioned",
    "s3-encrypted",
    "s3-not-public",
    "s3-tls-only",
    "alarm-has-action",
    "alarm-missing-data",
    "alarm-metric-published",
    "sns-topic-encrypted",
    "log-group-retention",
    "function-verify-jwt",
    "command-no-secret",
    "config-no-test-key",
    "stack-region",
    "stack-account",
    "stack-tags",
    "stack-contacts",
    "security-approval",
]
TABLES: Table = {
    **test_encryption.TABLE,
    **test_access.TABLE,
    **test_storage.TABLE,
    **test_monitoring.TABLE,
    **test_functions.TABLE,
    **test_stack.TABLE,
}
EVERY_VERDICT = {COMPLIANT, VIOLATING, MISSING, NOT_APPLICABLE, NOT_KNOWN}
# Some rules can't have a row of some kind: an option and the config are always known, a stack is always a stack.
WITHOUT = {
    "kms-key-protected": {MISSING, NOT_KNOWN},
    "iam-no-long-lived-credential": {COMPLIANT, MISSING, NOT_KNOWN},
    "alarm-has-action": {NOT_APPLICABLE},
    "alarm-metric-published": {NOT_APPLICABLE},
    "s3-complete": {NOT_APPLICABLE},
    "command-no-secret": {MISSING},
    "config-no-test-key": {MISSING, NOT_KNOWN},
    "stack-contacts": {NOT_KNOWN},
}


def test_the_pack_has_exactly_these_rules() -> None:
    assert [policy.name for policy in all_policies()] == RULES


def test_every_rule_is_mandatory_and_says_what_it_demands() -> None:
    for policy in all_policies():
        assert policy.enforcement_level is EnforcementLevel.MANDATORY, policy.name
        assert policy.description.endswith("."), policy.name


def test_every_rule_has_a_row_of_every_kind_that_it_can_have() -> None:
    assert set(TABLES) == set(RULES) - {APPROVAL}
    for policy, kinds in verdicts(TABLES).items():
        assert kinds == EVERY_VERDICT - WITHOUT.get(policy, set()), policy


@pytest.mark.parametrize("concern", sorted(set(CONCERNS) - {"approval"}))
def test_a_rule_can_be_read_at_one_sight(concern: str) -> None:
    tree = ast.parse((ROOT / "policies" / f"{concern}.py").read_text())
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assert (function.end_lineno or 0) - function.lineno < 40, function.name


def test_the_pack_is_started_in_one_place_and_imports_nothing_heavy() -> None:
    files = list((ROOT / "policies").glob("*.py"))
    assert [file.name for file in files if "PolicyPack" in _calls(file)] == ["__main__.py"]
    imported = set(chain.from_iterable(_imports(file) for file in files))
    assert not imported & {"boto3", "httpx", "pulumi_aws", "pulumi_command", "pydantic", "rich", "typer"}
    assert not imported & {"components", "operations", "sandbox", "settings", "toolchain"}


def _calls(file: Path) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {called.id for called in calls if isinstance(called, ast.Name)}


def _imports(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


def test_the_page_about_the_rules_is_up_to_date() -> None:
    assert page.FILE.read_text() == page.page(), "run: .venv/bin/python -m policies.table"
