"""The probe as it is declared: its code, what calls it, and what it may do."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest

from components.naming import Site
from components.probe import Probe, ProbeArgs
from components.probe_package import probe_package
from gate.assets import ARCHIVE, ASSET, SIGNATURE, archive_digests
from tests.components.recording import ROOT, UNKNOWN, Recording, record

pytestmark = pytest.mark.rows("K2", "K3", "L4")

SITE = Site(environment="staging", account_id="123456789012", region="us-east-1")
NAME = "parker-flight-staging-probe"
FUNCTION = "aws:lambda/function:Function"
RULE, TARGET = "aws:cloudwatch/eventRule:EventRule", "aws:cloudwatch/eventTarget:EventTarget"
PERMISSION, LOG = "aws:lambda/permission:Permission", "aws:cloudwatch/logGroup:LogGroup"
ROLE, ROLE_POLICY = "aws:iam/role:Role", "aws:iam/rolePolicy:RolePolicy"


def declared(*, first_preview: bool = False) -> Recording:
    args = ProbeArgs(
        site=SITE,
        code=probe_package(ROOT),
        gateway_url="https://gateway/",
        functions=("encrypt-data", "create-payment-method"),
    )
    return record(lambda: Probe("probe", args), first_preview=first_preview)


def statements(document: str) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for one in json.loads(document)["Statement"]}


def texts(archive: pulumi.AssetArchive) -> dict[str, str]:
    assert all(isinstance(one, pulumi.StringAsset) for one in archive.assets.values())
    return {name: cast("pulumi.StringAsset", one).text for name, one in archive.assets.items()}


def test_the_code_is_the_files_of_two_folders_as_they_are() -> None:
    files = [file for folder in ("checks", "probe") for file in (ROOT / folder).glob("*.py")]
    assert texts(probe_package(ROOT)) == {
        file.relative_to(ROOT).as_posix(): file.read_bytes().decode() for file in files
    }


def test_what_is_compiled_or_hidden_is_not_packed(tmp_path: Path) -> None:
    for name in ("probe/handler.py", "probe/__pycache__/x.cpython-311.pyc", "probe/.hidden/x.py", "tests/x.py", "x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x = 1\r\n", newline="")
    assert texts(probe_package(tmp_path)) == {"probe/handler.py": "x = 1\r\n"}


def test_a_checkout_below_a_hidden_folder_is_packed_as_any(tmp_path: Path) -> None:
    file = tmp_path / ".state/change/probe/handler.py"
    file.parent.mkdir(parents=True)
    file.write_text("x = 1\n")
    assert texts(probe_package(tmp_path / ".state/change")) == {"probe/handler.py": "x = 1\n"}


def test_the_code_starts_from_its_archive_alone(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, text in texts(probe_package(ROOT)).items():
            file.writestr(name, text)
    (tmp_path / "code.zip").write_bytes(packed.getvalue())
    program = f"import sys; sys.path.insert(0, {str(tmp_path / 'code.zip')!r}); import probe.handler as it; it.handle"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_the_gate_can_vouch_for_the_code() -> None:
    code = declared().one(FUNCTION, "probe").inputs["code"]
    assert code[SIGNATURE] == ARCHIVE
    assert {one[SIGNATURE] for one in code["assets"].values()} == {ASSET}
    assert archive_digests(code).keys() == texts(probe_package(ROOT)).keys()


def test_the_function_is_called_every_minute_and_ends_before_the_next() -> None:
    recorded = declared()
    function, rule = recorded.one(FUNCTION, "probe"), recorded.one(RULE, "probe")
    assert {name: function.inputs[name] for name in ("name", "handler", "runtime", "architectures", "role")} == {
        "name": NAME,
        "handler": "probe.handler.handle",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "role": f"arn:aws:iam::123456789012:role/{NAME}-role",
    }
    assert 55 < function.inputs["timeout"] < 60
    assert (rule.inputs["name"], rule.inputs["scheduleExpression"], rule.inputs["state"]) == (
        *(NAME, "rate(1 minute)", "ENABLED"),
    )
    assert recorded.one(TARGET, "probe").inputs == {
        "arn": f"arn:aws:lambda:us-east-1:123456789012:function:{NAME}",
        "rule": NAME,
        "targetId": "probe",
    }


def test_only_its_own_rule_may_call_it() -> None:
    assert declared().one(PERMISSION, "probe").inputs == {
        "action": "lambda:InvokeFunction",
        "function": NAME,
        "principal": "events.amazonaws.com",
        "sourceArn": f"arn:aws:events:us-east-1:123456789012:rule/{NAME}",
        "statementId": "schedule",
    }


def test_nothing_calls_it_before_it_may_be_called_and_it_writes_no_log_of_its_own() -> None:
    recorded = declared()
    names = {resource.urn: (resource.type, resource.name) for resource in recorded.resources.values()}

    def after(type_: str) -> set[tuple[str, str]]:
        return {names[urn] for urn in recorded.one(type_, "probe").depends_on}

    assert {(LOG, "probe"), (ROLE_POLICY, "probe")} <= after(FUNCTION)
    assert (FUNCTION, "probe") in after(PERMISSION)
    assert {(RULE, "probe"), (PERMISSION, "probe")} <= after(TARGET)
    assert recorded.one(LOG, "probe").inputs["name"] == f"/aws/lambda/{NAME}"
    assert recorded.one(LOG, "probe").inputs["retentionInDays"] == 30


def test_it_may_read_its_keys_publish_its_metrics_write_its_log_and_nothing_else() -> None:
    role_policy = statements(declared().one(ROLE_POLICY, "probe").inputs["policy"])
    parameters = "arn:aws:ssm:us-east-1:123456789012:parameter/parker-flight/staging/probe"
    assert {sid: (one["Action"], one["Resource"]) for sid, one in role_policy.items()} == {
        "ReadItsKeys": ("ssm:GetParameters", [f"{parameters}/anon-key", f"{parameters}/service-role-key"]),
        "PublishMetrics": ("cloudwatch:PutMetricData", "*"),
        "CompareWithLastWeek": ("cloudwatch:GetMetricData", "*"),
        "SeeHowOldTheAccessKeyIs": (
            "iam:ListAccessKeys",
            "arn:aws:iam::123456789012:user/parker-flight-staging-functions",
        ),
        "WriteItsLog": (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/{NAME}:*",
        ),
    }
    namespaces = role_policy["PublishMetrics"]["Condition"]["StringEquals"]["cloudwatch:namespace"]
    assert namespaces == ["ParkerFlight/Access", "ParkerFlight/Database", "ParkerFlight/Probe"]
    (trust,) = statements(declared().one(ROLE, "probe").inputs["assumeRolePolicy"]).values()
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_it_is_told_whom_to_ask_and_where_its_keys_are() -> None:
    assert declared().one(FUNCTION, "probe").inputs["environment"]["variables"] == {
        "PF_ENVIRONMENT": "staging",
        "PF_FUNCTIONS": "create-payment-method encrypt-data",
        "PF_FUNCTIONS_USER": "parker-flight-staging-functions",
        "PF_PARAMETERS": "/parker-flight/staging/probe",
        "PF_PURPOSES": "general-data payment-method-data user-profile-data",
        "PF_SUPABASE_URL": "https://gateway",
    }


def test_nothing_of_it_is_unknown_at_the_first_preview() -> None:
    for resource in declared(first_preview=True).resources.values():
        unknown = [name for name, value in resource.inputs.items() if UNKNOWN in json.dumps(value)]
        assert unknown == [], resource.type
