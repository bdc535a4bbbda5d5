"""A small Pulumi project, run by whichever engine, host and plugins are on PATH and in PULUMI_HOME."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Project:
    """Its stack is `test`; `environment` is all that a command of it gets."""

    folder: Path
    environment: Mapping[str, str]

    def program(self, text: str, **files: str) -> None:
        """Write the program; `files` stand beside it as Python modules."""
        for name, content in {"__main__": text, **files}.items():
            (self.folder / f"{name}.py").write_text(dedent(content))

    def pulumi(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """What it printed stands in `stdout`, errors among it."""
        return subprocess.run(
            self._command(arguments),
            cwd=self.folder,
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command(arguments),
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *arguments: str) -> str:
        """Update, and what that printed."""
        return self.well("up", "--yes", "--skip-preview", *arguments)

    def failing_up(self, *arguments: str) -> str:
        return self.ill("up", "--yes", "--skip-preview", *arguments)

    def preview(self, *arguments: str) -> str:
        return self.well("preview", *arguments)

    def failing_preview(self, *arguments: str) -> str:
        return self.ill("preview", *arguments)

    def refresh(self) -> str:
        return self.well("refresh", "--yes", "--skip-preview")

    def destroy(self) -> str:
        return self.well("destroy", "--yes", "--skip-preview")

    def config(self, key: str, value: str, *flags: str) -> None:
        self.well("config", "set", *flags, key, value)

    def outputs(self, *flags: str) -> dict[str, Any]:
        return json.loads(self.well("stack", "output", "--json", *flags))

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's own resources by name; the stack and the providers aren't among them."""
        state = json.loads(self.well("stack", "export"))
        return {
            one["urn"].rpartition("::")[2]: one
            for one in state["deployment"].get("resources", [])
            if not one["type"].startswith("pulumi:")
        }

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return ["pulumi", "--non-interactive", "--color", "never", *arguments]

    def well(self, *arguments: str) -> str:
        """What a command printed that succeeded."""
        done = self.pulumi(*arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ill(self, *arguments: str) -> str:
        """What one printed that failed."""
        done = self.pulumi(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout
