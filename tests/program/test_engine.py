"""The program's config under the real engine: the committed files are valid, and refusals come before any provider."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from sandbox.providers.installation import install
from tests.components.recording import ROOT
from toolchain import paths

pytestmark = pytest.mark.rows("K7", "R2")


@dataclass(frozen=True, kw_only=True)
class Project:
    """A copy of the program with a state of its own and no cloud."""

    folder: Path
    environment: dict[str, str]

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def refusal(self, stack: str) -> str:
        """What `pulumi preview` says when it refuses."""
        refused = self.pulumi("preview", "--stack", stack)
        message = refused.stdout + refused.stderr
        assert refused.returncode != 0, message
        assert "Traceback" not in message
        return message


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder, home, backend = tmp_path / "project", tmp_path / "home", tmp_path / "backend"
    for place in (folder, home, backend):
        place.mkdir()
    for name in ("__main__.py", "settings.py", "Pulumi.yaml", "Pulumi.sandbox.yaml", "Pulumi.production.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("checks", "components", "probe", "supabase"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    (folder / ".venv").symlink_to(ROOT / ".venv")
    install(home)
    return Project(
        folder=folder,
        environment=os.environ
        | {
            "PATH": f"{paths.tools()}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "sandbox",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",  # there is no AWS here
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
        },
    )


def test_production_is_refused_by_our_message_until_it_is_filled_in(project: Project) -> None:
    project.pulumi("stack", "init", "production")
    message = project.refusal("production")
    assert "Pulumi.production.yaml can't be used. Edit it:" in message
    assert 'parker-flight:awsAccountId: "<12 digits>"' in message
    assert "parker-flight:contacts.security.email is not set" in message


def test_the_lines_that_a_refusal_names_mend_it(project: Project) -> None:
    project.pulumi("stack", "init", "production")
    file = project.folder / "Pulumi.production.yaml"
    content = yaml.safe_load(file.read_text())
    for where, line in re.findall(r"(\S+) is not set\n\s+(.+)", project.refusal("production")):
        key, *path = where.split(".")
        ((name, value),) = yaml.safe_load(line.replace("<12 digits>", "123456789012")).items()
        assert name == (path[-1] if path else key)
        section = content["config"]
        for step in [key, *path][:-1]:
            section = section[step]
        section[name] = "me@example.com" if value == "<address>" else value
    file.write_text(yaml.safe_dump(content))
    preview = project.pulumi("preview", "--stack", "production")
    assert "can't be used" not in preview.stdout + preview.stderr


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("parker-flight:keyRotationDay", 365, "did you mean parker-flight:keyRotationDays?"),
        ("parker-flight:keyRotationDays", 30, "greater than or equal to 90"),
        # The engine checks types against Pulumi.yaml before the program starts; these are its words.
        ("parker-flight:keyRotationDays", "yearly", "'parker-flight:keyRotationDays' must be of type 'integer'"),
        ("parker-flight:contacts", "me", "'parker-flight:contacts' must be of type 'object'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_key(project: Project, key: str, value: object, said: str) -> None:
    project.pulumi("stack", "init", "sandbox")
    file = project.folder / "Pulumi.sandbox.yaml"
    content = yaml.safe_load(file.read_text())
    content["config"][key] = value
    file.write_text(yaml.safe_dump(content))
    assert said in project.refusal("sandbox")
