"""Checking a caller's JWT, as the gateway and PostgREST do."""

from typing import Any

import jwt

from sandbox.supabase.credentials import ALGORITHM

ROLES = ("anon", "authenticated", "service_role")


class TokenError(Exception):
    """Why a token is not accepted."""


def claims_of(header: str | None, secret: str) -> dict[str, Any]:
    """The claims of `Authorization: Bearer …`.

    Raises:
        TokenError: it is missing, expired, not signed with the project's secret, or of no known role.
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise TokenError("Missing authorization header")
    try:
        claims: dict[str, Any] = jwt.decode(
            token, secret, [ALGORITHM], options={"require": ["exp"], "verify_aud": False}
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenError("JWT expired") from error
    except jwt.InvalidTokenError as error:
        raise TokenError("Invalid JWT") from error
    if claims.get("role") not in ROLES:
        raise TokenError("Invalid JWT")
    return claims
