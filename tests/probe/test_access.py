"""The age of the functions' access key."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from probe.access import key_age
from tests.probe.fakes import START, Iam

pytestmark = pytest.mark.rows("K2")


def test_the_oldest_that_is_active_counts() -> None:
    (datum,) = key_age(Iam(("Active", 3), ("Active", 91), ("Inactive", 400)), "user", START)
    assert (datum.namespace, datum.name, datum.value) == ("ParkerFlight/Access", "AccessKeyAgeDays", 91)


@pytest.mark.parametrize(
    "iam",
    [
        Iam(),
        Iam(("Inactive", 400)),
        Iam(error=ClientError({"Error": {"Code": "NoSuchEntity"}}, "ListAccessKeys")),
        Iam(error=EndpointConnectionError(endpoint_url="https://iam")),
    ],
)
def test_where_there_is_none_or_iam_does_not_say_nothing_is_published(iam: Iam) -> None:
    assert key_age(iam, "user", START) == []
