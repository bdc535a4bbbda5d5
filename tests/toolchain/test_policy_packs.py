"""A policy pack under the real engine: it knows its stack, and what it denies doesn't pass."""

import json
from pathlib import Path

import pytest

from tests.toolchain.conftest import Project

pytestmark = pytest.mark.rows("K3", "K5")

# In place of the pulumi-policy package: an analyzer that writes down what it is told and denies by a config value.
PACK = """
import json, os, pathlib, signal, sys
from concurrent.futures import ThreadPoolExecutor
import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

config = json.loads(os.environ["PULUMI_CONFIG"])

class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    def GetAnalyzerInfo(self, request, context):
        policy = analyzer_pb2.PolicyInfo(name="no", description="no", enforcementLevel=analyzer_pb2.MANDATORY)
        return analyzer_pb2.AnalyzerInfo(name="pack", version="1.0.0", policies=[policy])
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")
    def Configure(self, request, context):
        return Empty()
    def Analyze(self, request, context):
        return analyzer_pb2.AnalyzeResponse()
    def Remediate(self, request, context):
        return analyzer_pb2.RemediateResponse()
    def AnalyzeStack(self, request, context):
        if config.get("tiny:deny") != "true":
            return analyzer_pb2.AnalyzeResponse()
        return analyzer_pb2.AnalyzeResponse(diagnostics=[analyzer_pb2.AnalyzeDiagnostic(
            policyName="no", policyPackName="pack", policyPackVersion="1.0.0", message="denied by the pack",
            enforcementLevel=analyzer_pb2.MANDATORY)])

names = ("PULUMI_PROJECT", "PULUMI_STACK", "PULUMI_DRY_RUN", "PULUMI_ORGANIZATION")
seen = {name: os.environ.get(name) for name in names} | {"config": config, "arguments": sys.argv}
pathlib.Path(__file__).with_name("seen.json").write_text(json.dumps(seen))
server = grpc.server(ThreadPoolExecutor(4))
analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(), server)
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "PulumiPolicy.yaml").write_text("runtime:\n  name: python\n  options:\n    toolchain: uv\n")
    (folder / "__main__.py").write_text(PACK)
    return folder


def test_a_pack_gets_stack_project_dry_run_and_config_in_its_environment(project: Project, pack: Path) -> None:
    project.program("import pulumi\n")
    project.pulumi("config", "set", "colour", "green")

    preview = project.pulumi("preview", "--policy-pack", str(pack))

    assert preview.returncode == 0, preview.stdout + preview.stderr
    seen = json.loads((pack / "seen.json").read_text())
    assert seen["PULUMI_PROJECT"] == "tiny"
    assert seen["PULUMI_STACK"] == "test"
    assert seen["PULUMI_DRY_RUN"] == "true"
    assert seen["config"] == {"tiny:colour": "green"}
    update = project.pulumi("up", "--yes", "--policy-pack", str(pack))  # a preview, then the update
    assert update.returncode == 0, update.stdout + update.stderr
    assert json.loads((pack / "seen.json").read_text())["PULUMI_DRY_RUN"] == "false"
    assert project.left_over() == []


def test_what_a_pack_denies_fails_the_preview(project: Project, pack: Path) -> None:
    project.program("import pulumi\n")
    project.pulumi("config", "set", "deny", "true")

    preview = project.pulumi("preview", "--policy-pack", str(pack))

    assert preview.returncode != 0
    assert "denied by the pack" in preview.stdout


def test_a_pack_that_cannot_start_fails_the_preview_with_its_own_message(project: Project, pack: Path) -> None:
    project.program("import pulumi\n")
    (pack / "__main__.py").write_text("raise SystemExit('the pack has no rules')\n")

    preview = project.pulumi("preview", "--policy-pack", str(pack))

    assert preview.returncode != 0
    assert "the pack has no rules" in preview.stdout + preview.stderr
    assert project.left_over() == []
