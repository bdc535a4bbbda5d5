"""The provider's own configuration, from the stack's `aws:` keys or from an `aws.Provider` of the program."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.providers.resource import Property
from sandbox.providers.wire import UNKNOWN, Values

BOOLEANS = ("CredentialsValidation", "MetadataApiCheck", "RegionValidation", "RequestingAccountId")
KEYS: Mapping[str, Property] = {
    "region": Property(),
    "allowedAccountIds": Property(kind="strings"),
    "defaultTags": Property(kind="object", fields={"tags": Property(kind="map")}),
    # How to call AWS: these make no difference here.
    **{f"skip{one}": Property(kind="boolean") for one in BOOLEANS},
    "maxRetries": Property(kind="integer"),
    "retryMode": Property(choices=("standard", "adaptive")),
}
OF_THE_ENGINE = ("__internal", "pluginDownloadURL", "version")


def with_region(given: Values) -> Values:
    """A region that nobody gave is the environment's."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return given if given.get("region") or not region else given | {"region": region}


def opened(given: Values) -> Values:
    """Values as what they are: they travel as strings, and all that is no string as JSON within."""
    return {key: _opened(KEYS[key].kind, value) if key in KEYS else value for key, value in given.items()}


def failures(given: Values) -> Iterator[tuple[str, str]]:
    """(key, reason) of what can't be used: a key that does nothing here would be missed in production only."""
    for key, value in opened(given).items():
        if key not in KEYS:
            if key not in OF_THE_ENGINE:
                served = ", ".join(f"aws:{one}" for one in KEYS)
                yield key, f"the sandbox's stand-in for the aws provider doesn't serve aws:{key}. It serves: {served}"
        elif reason := KEYS[key].failure(value):
            yield key, f"aws:{key}: {reason}"


def _opened(kind: str, value: Any) -> Any:
    if kind == "string" or not isinstance(value, str) or value == UNKNOWN:
        return value
    try:
        found = json.loads(value)
    except json.JSONDecodeError:
        return value
    return found if kind in ("boolean", "integer") else _texts(found)


def _texts(value: Any) -> Any:
    """Ids and tags that stand in YAML without quotes are numbers."""
    if isinstance(value, dict):
        return {key: _texts(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_texts(one) for one in value]
    return value if isinstance(value, str) else json.dumps(value)
