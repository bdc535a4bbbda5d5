"""How old the functions' access key is: AWS tells nobody when one should have been replaced long ago."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from probe.data import ACCESS, Datum
from probe.log import log

DAY_SECONDS = 86400


class Iam(Protocol):
    """As far as it is used here."""

    def list_access_keys(self, *, UserName: str) -> Any: ...  # noqa: N803


def key_age(iam: Iam, user: str, now: datetime) -> Sequence[Datum]:
    """Of the oldest that is active, in days; nothing where there is none, or IAM doesn't say."""
    try:
        keys = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    except (BotoCoreError, ClientError) as error:
        log("age of the access key not known", error=str(error))
        return []
    made: list[datetime] = [key["CreateDate"] for key in keys if key["Status"] == "Active"]
    if not made:
        return []
    days = (now - min(made)).total_seconds() / DAY_SECONDS
    return [Datum(namespace=ACCESS, name="AccessKeyAgeDays", value=round(days, 2), unit="None")]
