"""Gathers what a decision is made from: settings, records, signers, approvals, withdrawals. Shared by the policy pack
and the operations tool, so that what people are shown is what the pack will judge.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import rfc8785
from pydantic import TypeAdapter, ValidationError

from gate.commits import APPROVALS, Commits, GitError, ReleaseCommits
from gate.decision import Change, Decision, Identity, Known, Signed, Verdict
from gate.folder import Filed, Folder
from gate.hours import DAYS, BusinessHours
from gate.receipt import FRESH, ReceiptError, content_digest
from gate.records import Applied, Commit, Records
from gate.signature import VerifierError
from gate.state import State, StateError
from gate.statement import StatementError
from gate.store import StoreError, of_backend
from gate.surface import Surface, SurfaceError
from gate.trust import Trust, TrustError, TrustFiles, in_force

NAMESPACE = "parker-flight"
EMERGENCY = "PF_EMERGENCY"
AS_MERGED = "PF_AS_MERGED"
DRY_RUN = "PULUMI_DRY_RUN"  # the engine's, for whatever it starts
FOLDER = "PF_APPROVALS"
# A rollback runs a release that was unpacked outside git: the repository that vouches for it, and by which commit; the
# version's number is for words alone.
CHECKOUT = "PF_CHECKOUT"
COMMIT = "PF_COMMIT"
VERSION = "PF_VERSION"
RECEIPT, DECISION = "preview.json", "decision.json"
DEFAULT_HOURS = {"timeZone": "UTC", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00"}


class EvidenceError(Exception):
    """Something that the decision needs can't be read."""


# Whatever of these happens, the gate stays closed.
CLOSED = (
    EvidenceError,
    GitError,
    OSError,
    ReceiptError,
    StateError,
    StatementError,
    StoreError,
    SurfaceError,
    TrustError,
    VerifierError,
    rfc8785.CanonicalizationError,
)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The approval gate of one stack, as this checkout and environment have it."""

    identity: Identity
    root: Path  # of the program
    branch: str  # the protected one, where the stack has one
    repository: str = ""  # on GitHub, which is asked whether a commit's checks passed
    business_hours: Mapping[str, Any]  # timeZone, days, from, to
    environment: Mapping[str, str] = field(repr=False)

    @property
    def stack(self) -> str:
        return self.identity.stack

    @property
    def settings(self) -> dict[str, Any]:
        """The gate's own settings: part of the surface, so that nobody loosens them unseen."""
        if self.is_return:  # the windows of its time are not the present's
            return dict(self.settings_in_force)
        return self._own_settings

    @property
    def _own_settings(self) -> dict[str, Any]:
        asked = {"repository": self.repository} if self.repository else {}
        return {"protectedBranch": self.branch, "businessHours": DEFAULT_HOURS | dict(self.business_hours), **asked}

    @cached_property
    def settings_in_force(self) -> Mapping[str, Any]:
        """Those that judge the change: the live ones, as with the signers. It can't loosen what it is judged by.

        Raises: StoreError.
        """
        live = self.records.live()
        return self.records.surface(live.surface).settings if live else self._own_settings

    @property
    def branches(self) -> list[str]:
        """The protected ones: the one in force and this checkout's. Neither a change nor a forged record loosens it."""
        return sorted({self.branch, str(self.settings_in_force.get("protectedBranch", ""))} - {""})

    @cached_property
    def trust(self) -> Trust:
        """Raises: TrustError, StoreError."""
        return in_force(self.records, self.folder, self.commits, self.branches, self.stack)

    @property
    def is_reviewed(self) -> bool:
        """Whether program and signers are those of a commit on the protected branch, where there is one.

        Raises: GitError, StoreError, TrustError.
        """
        commits = self.commits
        return all(
            (commits.is_committed() if self._is_judged_as_merged else commits.is_on(branch))
            and (self.is_return or TrustFiles.of_commit(commits, commits.head()).digest == self.files.digest)
            for branch in self.branches
        )

    @property
    def _is_judged_as_merged(self) -> bool:
        """What a pull request wants to know. An update is never judged so: whoever asks has to say that it is none."""
        return bool(self.environment.get(AS_MERGED)) and self.environment.get(DRY_RUN) == "true"

    @property
    def hours(self) -> BusinessHours:
        """Raises: EvidenceError, StoreError."""
        try:
            hours = self.settings_in_force["businessHours"]
            days = frozenset(DAYS[DAYS.index(str(day))] for day in cast("list[object]", hours["days"]))
            closes = str(hours["to"])
            return BusinessHours(
                zone=ZoneInfo(str(hours["timeZone"])),
                days=days,
                opens=time.fromisoformat(str(hours["from"])),
                closes=time() if closes == "24:00" else time.fromisoformat(closes),
            )
        except (KeyError, ValueError, TypeError, ZoneInfoNotFoundError) as error:
            raise EvidenceError(f"{NAMESPACE}:businessHours can't be used: {error}") from error

    @property
    def folder(self) -> Path:
        """Where signers, statements and withdrawals are: in the repository, unless the environment says another."""
        named = self.environment.get(FOLDER)
        return Path(named) if named else self.checkout / APPROVALS

    @property
    def is_return(self) -> bool:
        """Whether the program is a release that is brought back. Whoever may approve is the present's then."""
        return bool(self.environment.get(CHECKOUT))

    @property
    def checkout(self) -> Path:
        """Where approvals and commits are."""
        return Path(self.environment.get(CHECKOUT) or self.root)

    @cached_property
    def files(self) -> TrustFiles:
        """The signers that come with the change. Read once: what was judged is what comes into force.

        Raises: TrustError.
        """
        return TrustFiles.of_folder(self.folder)

    @cached_property
    def commits(self) -> Commits:
        """Raises: EvidenceError."""
        if self.is_return:
            return ReleaseCommits(folder=self.checkout, release=self.root, commit=self._claimed_commit)
        return Commits(folder=self.checkout)

    @property
    def _claimed_commit(self) -> str:
        """A whole one: it stands in the records afterwards, and means the same at any time."""
        try:
            return TypeAdapter(Commit).validate_python(self.environment.get(COMMIT, ""))
        except ValidationError as error:
            raise EvidenceError(f"{COMMIT} is no commit as `pf` sets it; unset it") from error

    @cached_property
    def records(self) -> Records:
        url = self.environment.get("PULUMI_BACKEND_URL", "")
        return Records(of_backend(url, self.identity.project, self.stack, self.environment))

    @property
    def runtime_folder(self) -> Path:
        """What a preview leaves on this machine."""
        state = self.environment.get("PF_STATE")
        return (Path(state) if state else self.root / ".state") / "gate" / self.stack

    def _run_folder(self, run: str) -> Path:
        """A run's own: a preview beside an update, or two updates at once, take nothing from each other."""
        return self.runtime_folder / "runs" / hashlib.sha256(run.encode()).hexdigest()[:16]

    def receipt(self, run: str) -> Path:
        return self._run_folder(run) / RECEIPT

    @property
    def last_receipt(self) -> Path | None:
        """Of whichever run was last to leave one."""
        found: list[tuple[int, Path]] = []
        for file in self.runtime_folder.glob(f"runs/*/{RECEIPT}"):
            with suppress(FileNotFoundError):  # another run has just forgotten it
                found.append((file.stat().st_mtime_ns, file))
        return max(found)[1] if found else None

    def leave(self, verdict: Verdict, run: str) -> None:
        """What allowed this update, for the report of whoever runs it."""
        decision = Decision(kind=verdict.kind, statement=verdict.statement, used=verdict.used)
        folder = self._run_folder(run)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / DECISION).write_bytes(TypeAdapter(Decision).dump_json(decision))

    def decision(self, run: str) -> Decision | None:
        """None where nothing was left, or by a pack of another version."""
        try:
            return TypeAdapter(Decision).validate_json((self._run_folder(run) / DECISION).read_bytes())
        except (OSError, ValidationError):
            return None

    def forget_old_runs(self) -> None:
        """Those whose preview counts no more."""
        for folder in self.runtime_folder.glob("runs/*"):
            with suppress(FileNotFoundError):  # another run has just forgotten it
                if datetime.now(UTC).timestamp() - folder.stat().st_mtime > FRESH.total_seconds():
                    shutil.rmtree(folder)

    def deployed(self, state: State) -> Surface:
        """The surface that is deployed; a state knows nothing of the gate's settings, its record does.

        Raises: StoreError, SurfaceError.
        """
        live = self.records.live()
        settings = self.records.surface(live.surface).settings if live else {}
        return Surface.of(state.entries, settings)

    def change(
        self, *, surface: Surface, state: Surface, release: str, pack: str, functions: Sequence[str] = ()
    ) -> Change:
        """Raises: GitError, TrustError, StoreError."""
        live = self.records.live()
        return Change(
            identity=self.identity,
            surface=surface,
            state=state,
            release=release,
            content=content_digest(surface.digest, functions),
            returns=self.is_return,
            version=self.environment.get(VERSION, "") if self.is_return else "",
            signers=self.trust.digest if self.is_return else self.files.digest,
            pack=pack,
            commit=self.commits.head(),
            reviewed=self.is_reviewed,
            authors=self.commits.authors(live.commit if live else ""),
            actor=self.environment.get("GITHUB_ACTOR", "").lower(),
            emergency=bool(self.environment.get(EMERGENCY)),
            now=datetime.now(UTC),
        )

    def known(self, surface: Surface, release: str) -> Known:
        """Raises: TrustError, StoreError, StatementError, EvidenceError."""
        live = self.records.live()
        filed = Folder(self.folder, self.stack)
        approvals, damaged = filed.approvals()
        incidents, damaged_incidents = filed.incidents()
        return Known(
            live=live,
            live_surface=self.records.surface(live.surface) if live else Surface(),
            before=self._before(surface),
            released=self.records.released(release),
            trust=self.trust,
            hours=self.hours,
            surfaces=self._bases({one.statement.base for one in approvals}),
            approvals=[_signed(one) for one in approvals],
            incidents=[_signed(one) for one in incidents if not filed.closed(one.statement.id)],
            damaged=tuple(str(error) for error in (*damaged, *damaged_incidents)),
            withdrawn={one.digest: one.reason for one in filed.withdrawn().values()} | self.records.withdrawn(),
            quarantined=self.records.quarantined(),
        )

    def _before(self, surface: Surface) -> Applied | None:
        """The record of the wanted surface, if it was ever applied.

        A record can be forged. What it says people signed is the wanted surface itself, or one with the same resources
        where the settings of the gate have changed since to those in force.
        """
        found = self.records.applied(surface.digest)
        if found is None and self.is_return:
            found = self.records.applied_resources(surface)
        if found is None or found.signed == surface.digest:
            return found
        signed = self.records.surface(found.signed)
        same = signed.resources_digest == surface.resources_digest and surface.settings == self.settings_in_force
        return found if same else None

    def _bases(self, digests: set[str]) -> dict[str, Surface]:
        """For naming what moved; one that the records don't have can't be named."""
        found: dict[str, Surface] = {}
        for digest in digests:
            try:
                found[digest] = self.records.surface(digest)
            except StoreError:
                continue
        return found


def of_environment(root: Path, environment: Mapping[str, str] = os.environ) -> Gate:
    """The gate as a policy pack finds it: the engine's host names project, stack and config.

    Read leniently, since a rollback brings a program of before, whose config is judged by the gate of today.
    """
    config = cast("dict[str, str]", json.loads(environment.get("PULUMI_CONFIG", "{}")))

    def setting(name: str) -> str:
        return str(config.get(f"{NAMESPACE}:{name}", ""))

    return Gate(
        identity=Identity(
            project=environment.get("PULUMI_PROJECT", ""),
            stack=environment.get("PULUMI_STACK", "").rpartition("/")[2],
            account=setting("awsAccountId"),
            region=config.get("aws:region", ""),
            supabase_ref=setting("supabaseProjectRef"),
        ),
        root=root,
        branch=setting("protectedBranch"),
        repository=setting("repository"),
        business_hours=cast("dict[str, Any]", json.loads(setting("businessHours") or "{}")),
        environment=environment,
    )


def _signed(filed: "Filed[Any]") -> "Signed[Any]":
    return Signed(
        name=filed.path.name,
        statement=filed.statement,
        message=filed.statement.content,
        signatures=[(file.role, file.path) for file in filed.signatures],
    )
