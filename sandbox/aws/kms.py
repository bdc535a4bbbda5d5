"""Keys: their rotation, that they serve while they may, and whom a policy may name."""

import json
from collections.abc import Callable
from typing import Any

from moto.backends import get_backend
from moto.core.exceptions import JsonRESTError
from moto.kms.models import Key, KmsBackend
from moto.kms.responses import KmsResponse

from sandbox.aws.patches import ask_first
from sandbox.aws.principals import unknown

DEFAULT_ROTATION_DAYS = 365  # what KMS takes when EnableKeyRotation names no period
ROTATIONS_ON_DEMAND = 25  # of a key, in all its life

_rotation_days: dict[str, int] = {}


def remember_rotation_period(response: type[KmsResponse]) -> None:
    """Keep `RotationPeriodInDays`, which moto 5.2.5 drops: without it every refresh would report drift."""
    enable, status = response.enable_key_rotation, response.get_key_rotation_status

    def key_id(self: KmsResponse) -> str:
        backend = get_backend("kms")[self.current_account][self.region]
        return str(backend.get_key_id(self._get_param("KeyId")))  # pyright: ignore[reportPrivateUsage]

    def enable_key_rotation(self: KmsResponse) -> str:
        answer = enable(self)
        period: Any = self._get_param("RotationPeriodInDays")  # pyright: ignore[reportPrivateUsage]
        _rotation_days[key_id(self)] = int(period or DEFAULT_ROTATION_DAYS)
        return answer

    def get_key_rotation_status(self: KmsResponse) -> str:
        answer: dict[str, Any] = json.loads(status(self))
        if answer["KeyRotationEnabled"]:
            answer["RotationPeriodInDays"] = _rotation_days.get(key_id(self), DEFAULT_ROTATION_DAYS)
        return json.dumps(answer)

    response.enable_key_rotation = enable_key_rotation
    response.get_key_rotation_status = get_key_rotation_status


def enforce_rotation_rules(backend: type[KmsBackend]) -> None:
    """With moto any key rotates, as often as it is told to."""

    def checked(call: Callable[..., Any], *, changes: bool) -> Callable[..., Any]:
        def on(self: KmsBackend, key_id: str, **named: Any) -> Any:
            key = self.describe_key(key_id)
            if key.key_spec != "SYMMETRIC_DEFAULT":
                raise JsonRESTError("UnsupportedOperationException", f"{key.arn} is no key of symmetric encryption.")
            if changes:
                _refuse_unusable(key)
            return call(self, key.id, **named)

        return on

    def rotate_key_on_demand(self: KmsBackend, key_id: str) -> str:
        if len(self.describe_key(key_id).rotations) >= ROTATIONS_ON_DEMAND:
            message = f"A key is rotated on demand {ROTATIONS_ON_DEMAND} times at most."
            raise JsonRESTError("LimitExceededException", message)
        return rotate(self, key_id)

    rotate = backend.rotate_key_on_demand
    backend.rotate_key_on_demand = checked(rotate_key_on_demand, changes=True)
    backend.enable_key_rotation = checked(backend.enable_key_rotation, changes=True)
    backend.list_key_rotations = checked(backend.list_key_rotations, changes=False)


def enforce_states(backend: type[KmsBackend]) -> None:
    """With moto a key serves whatever its state. Data keys and re-encryption come through these two as well."""

    def usable(call: Callable[..., tuple[bytes, str]]) -> Callable[..., tuple[bytes, str]]:
        def use(self: KmsBackend, *arguments: Any, **named: Any) -> tuple[bytes, str]:
            content, arn = call(self, *arguments, **named)
            _refuse_unusable(self.describe_key(arn))
            return content, arn

        return use

    def of_a_grant(self: KmsBackend, key_id: str, *_: Any, **__: Any) -> None:
        _refuse_unusable(self.describe_key(key_id))

    for name in ("encrypt", "decrypt"):
        setattr(backend, name, usable(getattr(backend, name)))
    ask_first(backend, "create_grant", of_a_grant)


def _refuse_unusable(key: Key) -> None:
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state == "PendingDeletion":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def refuse_unknown_principals(response: type[KmsResponse]) -> None:
    """A policy may only name roles and users that exist: KMS keeps their ids and not their names."""

    def known(self: KmsResponse) -> None:
        policy: str | None = self._get_param("Policy")  # pyright: ignore[reportPrivateUsage]
        try:
            nobody = unknown(policy)
        except json.JSONDecodeError as error:
            raise JsonRESTError("MalformedPolicyDocumentException", f"Policy is no JSON: {error}") from None
        if nobody:
            message = "Policy contains a statement with one or more invalid principals."
            raise JsonRESTError("MalformedPolicyDocumentException", message)

    for call in ("create_key", "put_key_policy"):
        ask_first(response, call, known)
