"""The rotation period of keys."""

import json
from typing import Any

from moto.backends import get_backend
from moto.kms.responses import KmsResponse

DEFAULT_ROTATION_DAYS = 365  # what KMS takes when EnableKeyRotation names no period

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
