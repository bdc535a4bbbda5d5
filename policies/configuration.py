"""The stack's config, as the engine hands it to the pack. Values may be secrets: messages name keys only."""

import json
import os
from collections.abc import Mapping
from typing import Any

ENVIRONMENT = "parker-flight:environment"
ACCOUNT = "parker-flight:awsAccountId"
CONTACTS = "parker-flight:contacts"


def stack_config() -> Mapping[str, str]:
    return json.loads(os.environ.get("PULUMI_CONFIG") or "{}")


def structured(value: object) -> Any:
    """Lists and objects come as JSON text, from config and in a provider's properties alike."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None
