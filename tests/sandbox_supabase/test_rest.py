"""`/rest/v1/` on the real database: who may do what is PostgreSQL's decision."""

from typing import Any

import httpx
import pytest

from sandbox.supabase.management import RateLimit
from tests.e2e.checkout import Checkout

pytestmark = pytest.mark.rows("K4")

OTHER = "00000000-0000-4000-8000-000000000009"
CIPHERTEXT = f"pf1.{'k' * 128}.{'n' * 16}.{'c' * 23}"
ROW = {"stripe_payment_method_ciphertext": CIPHERTEXT, "key_alias": "alias/x"}


def rest(sandbox: Checkout, method: str, query: str, token: str | None = None, **more: Any) -> httpx.Response:
    variables = sandbox.environment
    headers = {"apikey": variables["SUPABASE_ANON_KEY"], "Prefer": "return=representation"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    url = f"{variables['SUPABASE_URL']}/rest/v1/payment_methods{query}"
    return httpx.request(method, url, headers=headers | more.pop("headers", {}), timeout=30, **more)


def test_rows_belong_to_their_owner(sandbox: Checkout, user: str) -> None:
    stranger = sandbox.pf("sandbox", "token", "--user", OTHER).stdout.strip()
    made = rest(sandbox, "POST", "?select=id", user, json=ROW)
    assert made.status_code == 201, made.text
    (row,) = made.json()
    this = f"?id=eq.{row['id']}"
    assert [one["id"] for one in rest(sandbox, "GET", f"{this}&select=id", user).json()] == [row["id"]]
    assert rest(sandbox, "GET", this, stranger).json() == []
    assert rest(sandbox, "GET", this).json() == []
    assert rest(sandbox, "DELETE", this, stranger).json() == []
    assert rest(sandbox, "GET", this, sandbox.token("service_role")).json() != []
    assert len(rest(sandbox, "DELETE", this, user).json()) == 1
    assert rest(sandbox, "GET", this, user).json() == []


def test_nobody_writes_in_anothers_name(sandbox: Checkout, user: str) -> None:
    refused = rest(sandbox, "POST", "", user, json={**ROW, "user_id": OTHER})
    assert (refused.status_code, refused.json()["code"]) == (403, "42501")
    anonymous = rest(sandbox, "POST", "", json=ROW)
    assert (anonymous.status_code, anonymous.json()["code"]) == (403, "42501")


@pytest.mark.parametrize(
    ("row", "status"),
    [
        ({**ROW, "last4": "12345"}, 400),
        ({**ROW, "exp_month": 13}, 400),
        ({"key_alias": "alias/x"}, 400),
        ({**ROW, "nonsense": 1}, 400),
        ([ROW, ROW], 501),
        ({**ROW, "details_ciphertext": CIPHERTEXT, "brand": "visa"}, 201),
        ({**ROW, "stripe_payment_method_ciphertext": "pm_1PabcdefGHIJ"}, 400),
        ({**ROW, "stripe_payment_method_ciphertext": "pf1.4242424242424242"}, 400),
        ({**ROW, "details_ciphertext": '{"billingName": "Ada Lovelace"}'}, 400),
        ({**ROW, "details_ciphertext": f"{CIPHERTEXT}\n4242"}, 400),
        ({**ROW, "brand": "4242 4242 4242 4242"}, 400),
        ({**ROW, "key_alias": "Ada Lovelace"}, 400),
    ],
)
def test_the_database_holds_its_rules(sandbox: Checkout, user: str, row: Any, status: int) -> None:
    assert rest(sandbox, "POST", "", user, json=row).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b"\xff",
        '{"brand": "visa"}'.encode("utf-16"),
        b'{"brand": "\\u0000"}',
        b'{"brand": "\\ud800"}',
        b'{"brand": {"name": "visa"}}',
        b'{"exp_month": NaN}',
        b'{"exp_month": 1.5}',
        b'{"exp_month": 99999999999999999999}',
        b'{"user_id": 1}',
    ],
)
def test_a_body_that_is_no_row_is_the_callers_mistake(sandbox: Checkout, user: str, body: bytes) -> None:
    assert rest(sandbox, "POST", "", user, content=body).status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        *("?limit=-1", "?limit=abc", "?limit=", "?limit=%C2%B2", "?limit=%D9%A4", f"?limit={'9' * 5000}"),
        *("?select=nonsense", "?nonsense=eq.1", "?id=eq.abc", "?last4=eq.%00", "?exp_month=eq.99999999999999999999"),
    ],
)
def test_a_query_that_asks_for_nonsense_is_the_callers_mistake(sandbox: Checkout, user: str, query: str) -> None:
    assert rest(sandbox, "GET", query, user).status_code == 400


@pytest.mark.parametrize("query", ["?id=gt.1", "?or=(id.eq.1)", "?select=id,owner(name)", "?select=id;drop table x"])
def test_what_is_not_served_is_said(sandbox: Checkout, user: str, query: str) -> None:
    assert rest(sandbox, "GET", query, user).status_code == 501


def test_an_api_key_is_needed_and_a_bad_token_is_refused(sandbox: Checkout) -> None:
    assert rest(sandbox, "GET", "", headers={"apikey": ""}).status_code == 401
    assert rest(sandbox, "GET", "", headers={"apikey": "wrong"}).status_code == 401
    assert rest(sandbox, "GET", "", "not.a.token").status_code == 401


def test_unknown_tables_and_a_delete_without_condition_are_refused(sandbox: Checkout, user: str) -> None:
    assert rest(sandbox, "DELETE", "", user).status_code == 400
    variables = sandbox.environment
    url = f"{variables['SUPABASE_URL']}/rest/v1/passwords"
    assert httpx.get(url, headers={"apikey": variables["SUPABASE_ANON_KEY"]}, timeout=30).status_code == 404


def test_past_the_limit_the_api_stays_closed_for_a_minute() -> None:
    limit = RateLimit(2)
    assert [limit.admit(), limit.admit()] == [0, 0]
    assert limit.admit() == 60
    assert 0 < limit.admit() <= 60
    assert limit.headers() == {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0"}
