"""AWS clients, made when first needed. botocore's are those of boto3, and their import costs half as much."""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from sandbox.providers.wire import Values

PROPAGATION_SECONDS = 120
RETRY_SECONDS = 0.5


class Clients:
    """Clients of one account and region; addresses and credentials come from the environment."""

    def __init__(self, region: str, default_tags: Mapping[str, str]) -> None:
        self.region = region
        self.default_tags = dict(default_tags)
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.create_client(service, region_name=self.region)
            return self._clients[service]

    @cached_property
    def _session(self) -> Any:
        """One for all clients: each session reads anew where every service of AWS is to be found, for 50 ms."""
        import botocore.config
        import botocore.session

        session = botocore.session.get_session()
        config = botocore.config.Config(
            retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=30
        )
        session.set_default_client_config(config)
        return session

    @cached_property
    def account(self) -> str:
        """Every run of the engine asks this, and often nothing else: a client would take 0.2 s to make."""
        with self._lock:
            return self._quick_account() or str(self.client("sts").get_caller_identity()["Account"])

    def _quick_account(self) -> str:
        """Empty where the answer is an error, which is the client's to tell. moto looks at the key's id alone."""
        scope = f"{os.environ.get('AWS_ACCESS_KEY_ID')}/20000101/{self.region}/sts/aws4_request"
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection = HTTPConnection(urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).netloc, timeout=30)
        try:
            connection.request("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", headers)
            found = re.search(rb"<Account>(\d+)</Account>", connection.getresponse().read())
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()
        return found[1].decode() if found else ""

    def tags(self, inputs: Values) -> dict[str, str]:
        """The provider's default tags, and over them the resource's own."""
        return self.default_tags | (inputs.get("tags") or {})

    def tag_list(self, inputs: Values, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        return [{key: name, value: text} for name, text in self.tags(inputs).items()]

    def tag_outputs(self, live: Mapping[str, str]) -> Values:
        """`tags` without the default ones, and `tagsAll`."""
        own = {key: value for key, value in live.items() if self.default_tags.get(key) != value}
        return {"tags": own, "tagsAll": dict(live)}

    def tag_changes(self, old: Values, new: Values) -> tuple[dict[str, str], list[str]]:
        """(tags to set, names to remove)."""
        before, after = old.get("tagsAll") or self.tags(old), self.tags(new)
        return (
            {key: value for key, value in after.items() if before.get(key) != value},
            [key for key in before if key not in after],
        )

    def change_tags(self, service: str, old: Values, new: Values, *, resource: str = "ResourceARN") -> None:
        """For a service that takes tags as a list; `resource` is its argument for the ARN."""
        client, named = self.client(service), {resource: old["arn"]}
        added, removed = self.tag_changes(old, new)
        if removed:
            client.untag_resource(**named, TagKeys=removed)
        if added:
            client.tag_resource(**named, Tags=[{"Key": key, "Value": value} for key, value in added.items()])


def unless_gone(gone: tuple[str, ...], call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """The call's answer, or None when AWS knows no such thing: it says so by one of the codes `gone`."""
    try:
        return call(*arguments, **named)
    except Exception as error:
        if error_code(error) not in gone:
            raise
        return None


def once_seen(refusal: str, call: Callable[..., Any], **named: Any) -> Any:
    """The call's answer. Of a role or user that was just made not all of AWS knows yet: what it refuses for that, and
    says so by `refusal`, is tried again, as the official provider does it.
    """
    end = time.monotonic() + PROPAGATION_SECONDS
    while True:
        try:
            return call(**named)
        except Exception as error:
            if refusal not in str(error) or time.monotonic() > end:
                raise
        time.sleep(RETRY_SECONDS)


def error_code(error: Exception) -> str:
    """The AWS error code of a botocore ClientError; empty for anything else."""
    response: Any = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
