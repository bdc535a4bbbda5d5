"""The stack that a verb works on: its name, its settings, its environment."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from components.function_source import Release, SourceError, read_release
from operations.environment import Environment, load, refuse_another
from operations.errors import OperationError
from operations.places import ROOT, state_folder
from settings import Settings, SettingsError

PROJECT = "parker-flight"  # as Pulumi.yaml names it
SUPABASE_API_URL = "https://api.supabase.com"


def default_stack() -> str:
    return os.environ.get("PF_STACK") or "sandbox"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Everything that a verb may know about its stack. `variables` is the whole environment of its children."""

    name: str
    root: Path
    state: Path
    settings: Settings
    environment: Environment
    variables: Mapping[str, str] = field(repr=False)
    project: str = PROJECT

    @classmethod
    def load(cls, name: str, *, needs: Iterable[str], root: Path = ROOT, state: Path | None = None) -> Self:
        """Raises: OperationError for settings that can't be used or an environment that lacks something."""
        state = state or state_folder()
        refuse_another(name, state, os.environ)
        try:
            settings = Settings.from_file(name, root)
        except SettingsError as error:
            raise OperationError(str(error)) from error
        loaded = load(name, state, os.environ, needs)
        return cls(
            name=name,
            root=root,
            state=state,
            settings=settings,
            environment=loaded.settings,
            variables=loaded.variables,
        )

    @property
    def api_url(self) -> str:
        return self.environment.supabase_api_url or SUPABASE_API_URL

    @property
    def gateway_url(self) -> str:
        return (self.environment.supabase_url or self.settings.supabase_url).rstrip("/")

    @property
    def command(self) -> str:
        """`--stack NAME`, where a command that we print needs it."""
        return "" if self.name == default_stack() else f" --stack {self.name}"

    @cached_property
    def release(self) -> Release:
        """The edge functions as the source has them."""
        try:
            return read_release(self.root)
        except SourceError as error:
            raise OperationError(str(error)) from error

    @cached_property
    def start_hint(self) -> str:
        """What to type when an address on this machine doesn't answer."""
        return "./pf sandbox up" if is_loopback(self.gateway_url) else ""

    def own(self, name: str) -> str:
        """What gives this shell the stack's own value of a variable whose value was not accepted."""
        if not self.start_hint:
            return f"export the project's own {name}"
        if self.environment.pf_loaded:
            return f'this shell has an old one: eval "$(./pf env{self.command})", or open a new shell'
        return f"unset {name} in this shell; if it isn't set there: ./pf sandbox up"


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
