"""The floor of a rollback: the calls that no tool could leave out, made directly, with clients that are ready.

The functions go live by one call of the Supabase CLI, while the alarms and the role's policy are put to AWS, all at
once; the release is named; then self-checks of both functions and a round trip of each purpose, all at once.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from components.naming import DATA_CLASSES
from sandbox.supabase import PROJECT
from tests.bench.measures import FUNCTIONS, change, supabase, timed
from tests.e2e.checkout import Checkout

ONE = "CLI deploy of the function, name the release, self-checks and round trips once"
WHOLE = "the same with both functions, and the four alarms and the role's policy put meanwhile"
CHANGED = ("-errors", "-kms-failures")  # the alarms that a version's other percentage changes
SECONDS = 30


def one_function(checkout: Checkout, variables: Mapping[str, str]) -> float:
    change(checkout)
    verify = _verification(checkout)
    return timed(lambda: (_switch(checkout, variables, FUNCTIONS[0]), verify()))


def whole_stack(checkout: Checkout, variables: Mapping[str, str]) -> float:
    for name in FUNCTIONS:
        change(checkout, name)
    puts, verify = _puts(checkout, variables), _verification(checkout)

    def calls() -> None:
        with ThreadPoolExecutor(len(puts)) as pool:
            answers = [pool.submit(put) for put in puts]
            _switch(checkout, variables, *FUNCTIONS)
            for one in answers:
                one.result()
        verify()

    return timed(calls)


def _switch(checkout: Checkout, variables: Mapping[str, str], *functions: str) -> None:
    supabase(checkout, *functions, variables=variables)
    addresses = checkout.environment | dict(variables)
    httpx.post(
        f"{addresses['SUPABASE_API_URL']}/v1/projects/{PROJECT}/secrets",
        headers={"Authorization": f"Bearer {addresses['SUPABASE_ACCESS_TOKEN']}"},
        json=[{"name": "PF_RELEASE", "value": f"{time.time_ns():x}"}],
        timeout=SECONDS,
    ).raise_for_status()


def _puts(checkout: Checkout, variables: Mapping[str, str]) -> Sequence[Callable[[], object]]:
    """As they stand now: what they cost doesn't hang on what they say."""
    cloudwatch, iam = (checkout.aws(service, variables) for service in ("cloudwatch", "iam"))
    may_be_put = cloudwatch.meta.service_model.operation_model("PutMetricAlarm").input_shape.members
    found = [one for one in cloudwatch.describe_alarms()["MetricAlarms"] if one["AlarmName"].endswith(CHANGED)]
    alarms = [{name: value for name, value in one.items() if name in may_be_put} for one in found]
    (role,) = (one["RoleName"] for one in iam.list_roles()["Roles"] if one["RoleName"].endswith("-sandbox-role"))
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"])
    return [
        *(partial(cloudwatch.put_metric_alarm, **alarm) for alarm in alarms),
        partial(iam.put_role_policy, RoleName=role, PolicyName=policy, PolicyDocument=document),
    ]


def _verification(checkout: Checkout) -> Callable[[], object]:
    client = httpx.Client(
        base_url=f"{checkout.environment['SUPABASE_URL']}/functions/v1",
        headers={"Authorization": f"Bearer {checkout.token('service_role')}"},
        timeout=SECONDS,
    )

    def check(function: str) -> None:
        client.get(f"/{function}").raise_for_status()

    def trip(purpose: str) -> None:
        def ask(**body: str) -> dict[str, str]:
            answer = client.post(f"/{FUNCTIONS[0]}", json={"purpose": purpose, **body})
            return answer.raise_for_status().json()

        ask(ciphertext=ask(plaintext="hello")["ciphertext"])

    asks = [partial(check, name) for name in FUNCTIONS] + [partial(trip, one.purpose) for one in DATA_CLASSES]

    def verify() -> None:
        with ThreadPoolExecutor(len(asks)) as pool, client:
            for answer in [pool.submit(ask) for ask in asks]:
                answer.result()

    return verify
