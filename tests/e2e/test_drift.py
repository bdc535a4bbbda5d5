"""What somebody changes by hand is found, each by itself: by the engine's refresh, or by `pf health`."""

import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest

from tests.e2e.checkout import Checkout

pytestmark = [pytest.mark.drill, pytest.mark.rows("K1", "K4", "K7")]

GENERAL, PAYMENT = "alias/parker-flight-general-sandbox", "alias/parker-flight-payment-sandbox"
FUNCTION, ROLE = "create-payment-method", "parker-flight-sandbox-role"


def key_of(checkout: Checkout, alias: str) -> str:
    return checkout.aws("kms").describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]


@contextmanager
def rotation_switched_off(checkout: Checkout) -> Generator[None]:
    kms, key = checkout.aws("kms"), key_of(checkout, GENERAL)
    kms.disable_key_rotation(KeyId=key)
    yield
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=365)


@contextmanager
def alias_moved(checkout: Checkout) -> Generator[None]:
    kms, key = checkout.aws("kms"), key_of(checkout, GENERAL)
    kms.update_alias(AliasName=GENERAL, TargetKeyId=key_of(checkout, PAYMENT))
    yield
    kms.update_alias(AliasName=GENERAL, TargetKeyId=key)


@contextmanager
def key_policy_changed(checkout: Checkout) -> Generator[None]:
    kms, key = checkout.aws("kms"), key_of(checkout, GENERAL)
    policy = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    more = json.loads(policy)
    more["Statement"][0]["Action"] = "kms:*"
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(more))
    yield
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)


@contextmanager
def role_policy_narrowed(checkout: Checkout) -> Generator[None]:
    iam = checkout.aws("iam")
    (name,) = iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
    policy = json.dumps(iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"])
    other = policy.replace("general-data", "another-purpose")
    iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=other)
    yield
    iam.put_role_policy(RoleName=ROLE, PolicyName=name, PolicyDocument=policy)


@contextmanager
def function_replaced(checkout: Checkout) -> Generator[None]:
    form = {
        "file": ("index.ts", b'Deno.serve(() => new Response("mine"));\n', "application/typescript"),
        "metadata": (None, json.dumps({"entrypoint_path": "index.ts", "name": FUNCTION})),
    }
    api(checkout).post("functions/deploy", params={"slug": FUNCTION}, files=form).raise_for_status()
    yield
    checkout.pf("deploy")


@contextmanager
def secret_removed(checkout: Checkout) -> Generator[None]:
    api(checkout).request("DELETE", "secrets", json=["PF_ROLE_ARN"]).raise_for_status()
    yield
    checkout.pf("deploy")


def api(checkout: Checkout) -> httpx.Client:
    variables = checkout.environment
    return httpx.Client(
        base_url=f"{variables['SUPABASE_API_URL']}/v1/projects/sandboxsandboxsandbo",
        headers={"Authorization": f"Bearer {variables['SUPABASE_ACCESS_TOKEN']}"},
        timeout=60,
    )


def by_refresh(checkout: Checkout) -> str:
    looked = checkout.pulumi("refresh", "--preview-only", "--expect-no-changes", "--non-interactive", check=False)
    assert looked.returncode != 0, looked.stdout
    return looked.stdout


def by_health(checkout: Checkout) -> str:
    looked = checkout.pf("health", "--json", check=False)
    assert looked.returncode in (1, 2), looked.stdout
    return looked.stdout


@pytest.mark.parametrize(
    ("change", "look", "named"),
    [
        (rotation_switched_off, by_refresh, ("aws:kms:Key general-1", "enableKeyRotation")),
        (rotation_switched_off, by_health, ("key general", "does not rotate")),
        (alias_moved, by_refresh, ("aws:kms:Alias general", "targetKeyId")),
        (alias_moved, by_health, (GENERAL, "points to the key")),
        (key_policy_changed, by_refresh, ("aws:kms:Key general-1", "policy")),
        (role_policy_narrowed, by_refresh, ("aws:iam:RolePolicy functions-role", "policy")),
        (role_policy_narrowed, by_health, ("encryption fails under general-data",)),
        (function_replaced, by_health, (f"{FUNCTION} was replaced",)),
        (secret_removed, by_health, ("changed or unset: PF_ROLE_ARN",)),
    ],
)
def test_what_was_changed_by_hand_is_found(
    checkout: Checkout,
    change: Callable[[Checkout], AbstractContextManager[None]],
    look: Callable[[Checkout], str],
    named: tuple[str, ...],
) -> None:
    with change(checkout):
        said = look(checkout)
        assert [one for one in named if one not in said] == [], said
    assert checkout.pf("health").returncode == 0
