"""What a deployment tells the probe, and the keys that it fetches itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

SERVICE_ROLE_KEY = "service-role-key"
ANON_KEY = "anon-key"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`functions` are those of the release, `parameters` the path below which the keys are kept.

    `functions_user` is the IAM user whose access key the functions have.
    """

    environment: str
    gateway_url: str
    functions: Sequence[str]
    functions_user: str
    purposes: Sequence[str]
    parameters: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        return cls(
            environment=variables["PF_ENVIRONMENT"],
            gateway_url=variables["PF_SUPABASE_URL"],
            functions=variables["PF_FUNCTIONS"].split(),
            functions_user=variables["PF_FUNCTIONS_USER"],
            purposes=variables["PF_PURPOSES"].split(),
            parameters=variables["PF_PARAMETERS"],
        )

    def as_variables(self) -> dict[str, str]:
        return {
            "PF_ENVIRONMENT": self.environment,
            "PF_SUPABASE_URL": self.gateway_url,
            "PF_FUNCTIONS": " ".join(self.functions),
            "PF_FUNCTIONS_USER": self.functions_user,
            "PF_PURPOSES": " ".join(self.purposes),
            "PF_PARAMETERS": self.parameters,
        }


class ParameterStore(Protocol):
    """AWS Systems Manager, as far as it is used here."""

    def get_parameters(self, *, Names: Sequence[str], WithDecryption: bool) -> Any: ...  # noqa: N803


class KeysMissingError(Exception):
    """Without keys there is nothing to ask with; the run fails, and the alarm on silence says so."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    anon: str = field(repr=False)
    service_role: str = field(repr=False)

    @classmethod
    def fetch(cls, store: ParameterStore, path: str) -> Self:
        """Each run anew: a key that was changed counts within a minute.

        Raises: KeysMissingError, and what AWS refuses.
        """
        wanted = [f"{path}/{name}" for name in (ANON_KEY, SERVICE_ROLE_KEY)]
        answer = store.get_parameters(Names=wanted, WithDecryption=True)
        values: dict[str, str] = {one["Name"]: one["Value"] for one in answer["Parameters"]}
        if missing := [name for name in wanted if name not in values]:
            raise KeysMissingError(
                f"the parameter store has no {' and no '.join(missing)}; a deployment puts them there"
            )
        anon, service_role = (values[name] for name in wanted)
        return cls(anon=anon, service_role=service_role)
