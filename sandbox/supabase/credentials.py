"""The project's keys and tokens: made once, kept for this user alone, worthless anywhere else."""

import os
import secrets
import shlex
import time
from pathlib import Path

import jwt
from pydantic import BaseModel, ValidationError

from sandbox.state import SandboxError

ALGORITHM = "HS256"
CREDENTIALS = "credentials.json"
TEN_YEARS = 10 * 365 * 24 * 3600


class Credentials(BaseModel):
    """What the real dashboard shows under API keys, and a personal access token."""

    access_token: str
    jwt_secret: str
    anon_key: str
    service_role_key: str

    @classmethod
    def load_or_create(cls, folder: Path) -> "Credentials":
        """Raises: SandboxError if the file that keeps them is damaged."""
        file = folder / CREDENTIALS
        if file.exists():
            try:
                return cls.model_validate_json(file.read_bytes())
            except ValidationError:
                again = f"rm {shlex.quote(str(file))} && ./pf sandbox down && ./pf sandbox up"
                raise SandboxError(f"{file} is damaged.\n  Let other keys and tokens be made: {again}") from None
        secret = secrets.token_hex(32)
        made = cls(
            access_token=f"sbp_{secrets.token_hex(20)}",
            jwt_secret=secret,
            anon_key=_sign(secret, {"role": "anon"}, TEN_YEARS),
            service_role_key=_sign(secret, {"role": "service_role"}, TEN_YEARS),
        )
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
            opened.write(made.model_dump_json())
        return made

    def user_token(self, user_id: str, lifetime_seconds: int = 3600) -> str:
        """What a signed-in user's browser holds."""
        claims = {"role": "authenticated", "aud": "authenticated", "sub": user_id}
        return _sign(self.jwt_secret, claims, lifetime_seconds)


def _sign(secret: str, claims: dict[str, str], lifetime_seconds: int) -> str:
    now = int(time.time())
    return jwt.encode({"iss": "supabase", **claims, "iat": now, "exp": now + lifetime_seconds}, secret, ALGORITHM)
