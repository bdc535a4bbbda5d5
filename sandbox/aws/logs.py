"""The key of a log group: moto takes one when the group is made, and knows no way to change it."""

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.responses import LogsResponse


def change_keys(response: type[LogsResponse]) -> None:
    def set_key(self: LogsResponse, key: str | None) -> str:
        name = self._get_param("logGroupName")  # pyright: ignore[reportPrivateUsage]
        if name not in self.logs_backend.groups:
            raise ResourceNotFoundException()
        self.logs_backend.groups[name].kms_key_id = key
        return "{}"

    def associate_kms_key(self: LogsResponse) -> str:
        return set_key(self, self._get_param("kmsKeyId"))  # pyright: ignore[reportPrivateUsage]

    def disassociate_kms_key(self: LogsResponse) -> str:
        return set_key(self, None)

    for call in (associate_kms_key, disassociate_kms_key):
        setattr(response, call.__name__, call)
