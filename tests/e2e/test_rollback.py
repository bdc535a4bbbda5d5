"""A version comes back: by itself when a deployment doesn't stand, by one command when a person wants it to."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from releases.source import archive, digest_of, unpack
from tests.e2e.checkout import Checkout

pytestmark = pytest.mark.rows("K6", "K8", "E2", "D5", "D6")

ANSWER = "return Response.json({ ciphertext, keyAlias: alias, purpose });"
BODY = {"purpose": "general-data", "plaintext": "hello"}


def answering(handler: Path, note: str, ciphertext: str = "ciphertext") -> None:
    text = handler.read_text()
    first, _, rest = text.partition("return Response.json({ ciphertext")
    line = f'return Response.json({{ ciphertext: {ciphertext}, note: "{note}", keyAlias: alias, purpose }});'
    handler.write_text(first + line + rest.partition(");")[2])


def note_of(checkout: Checkout) -> str:
    return checkout.call("encrypt-data", BODY, checkout.token("authenticated")).json().get("note", "")


def store(checkout: Checkout) -> Path:
    return checkout.state / "sandbox/pulumi/.parker-flight/parker-flight/sandbox"


def live(checkout: Checkout) -> int:
    return int((store(checkout) / "latest.json").read_text())


def report(checkout: Checkout, which: str = "latest") -> dict[str, Any]:
    return json.loads(checkout.pf("report", which, "--json").stdout)


def key_ids(checkout: Checkout) -> set[str]:
    return {key["KeyId"] for key in checkout.aws("kms").list_keys()["Keys"]}


def forge(checkout: Checkout, version: Path, folder: Path, config: dict[str, Any]) -> None:
    """The version's release with other settings, as the store would have it."""
    content = json.loads(version.read_text())
    sources = store(checkout) / "sources"
    unpack((sources / f"{content['source']}.tar.gz").read_bytes(), content["source"], folder)
    file = folder / "Pulumi.sandbox.yaml"
    settings = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump(settings | {"config": settings["config"] | config}))
    packed = archive(folder, "sandbox")
    (sources / f"{digest_of(packed)}.tar.gz").write_bytes(packed)
    version.write_text(json.dumps(content | {"source": digest_of(packed)}))


@pytest.mark.rows("D2", "D3", "C3", "E3")
def test_a_function_that_answers_wrongly_is_taken_back_by_itself(checkout: Checkout, handler: Path) -> None:
    before = live(checkout)
    answering(handler, "wrong", ciphertext='"not encrypted"')
    deployed = checkout.pf("deploy", "--message", "answers wrongly", check=False)
    assert deployed.returncode == 4
    assert f"version {before} has been brought back" in deployed.stderr
    assert note_of(checkout) == ""
    back, said = (one["report"] for one in json.loads(checkout.pf("report", "--json").stdout)[:2])
    assert (said["kind"], said["result"], said["message"]) == ("deployment", "rolled back", "answers wrongly")
    assert "round trip general-data" in said["why"]
    assert (back["kind"], back["target"], back["verified"]) == ("rollback", before, True)

    refused = checkout.pulumi("preview", "--non-interactive", check=False)
    assert refused.returncode != 0
    assert f"./pf unblock {said['version']}" in refused.stdout + refused.stderr


@pytest.mark.rows("D3", "E3", "O3")
def test_a_release_that_was_switched_in_part_is_taken_back_whole(checkout: Checkout, handler: Path) -> None:
    """The Supabase CLI switches the functions that bundle, also where one doesn't."""
    before, serving = live(checkout), checkout.served_release()
    answering(handler, "of a mixed release")
    other = handler.parent.parent / "create-payment-method"
    entry = (other / "index.ts").read_text()
    # Deno loads it, here as in the cloud; the CLI's own search for imports passes over it, and uploads no such file.
    (other / "index.ts").write_text(f'import/**/"./aside.ts";\n{entry}')
    (other / "aside.ts").write_text("export {};\n")
    try:
        deployed = checkout.pf("deploy", "--message", "in part", check=False)
    finally:
        (other / "index.ts").write_text(entry)
        (other / "aside.ts").unlink()
    assert deployed.returncode == 4
    assert "The release is mixed: encrypt-data already new, create-payment-method still old" in deployed.stderr
    assert f"version {before} has been brought back" in deployed.stderr.splitlines()[-2]
    assert note_of(checkout) == ""
    assert checkout.served_release() == serving
    back, said = (one["report"] for one in json.loads(checkout.pf("report", "--json").stdout)[:2])
    assert (said["kind"], said["result"], said["message"]) == ("deployment", "rolled back", "in part")
    assert (back["kind"], back["target"], back["verified"]) == ("rollback", before, True)


@contextmanager
def held_by_the_cli(checkout: Checkout) -> Generator[Path]:
    """The Supabase CLI does its work, and then doesn't end until it is interrupted; the file is there from then on."""
    tools, switched = checkout.state / "toolchain", checkout.state / "switched"
    real = tools.resolve()
    tools.unlink()
    (tools / "bin").mkdir(parents=True)
    for tool in ("pulumi", "pulumi-language-python", "deno"):
        (tools / "bin" / tool).symlink_to((real / "bin" / tool).resolve())
    cli = tools / "bin/supabase"
    cli.write_text(f'#!/bin/sh\n"{(real / "bin/supabase").resolve()}" "$@"\n: >"{switched}"\nexec sleep 60\n')
    cli.chmod(0o755)
    try:
        yield switched
    finally:
        shutil.rmtree(tools)
        tools.symlink_to(real)


@pytest.mark.rows("T4")
def test_a_rollback_that_is_interrupted_after_it_switched_a_function_is_gone_on_with(
    checkout: Checkout, handler: Path
) -> None:
    """The state knows nothing of the switch yet, and says that the version stands which is being left."""
    answering(handler, "being left")
    checkout.pf("deploy")
    left = live(checkout)
    with (
        held_by_the_cli(checkout) as switched,
        subprocess.Popen(
            ["./pf", "rollback", "--reason", "it is wrong"],
            cwd=checkout.root,
            env=checkout.shell,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as interrupted,
    ):
        assert checkout.eventually(switched.exists)
        os.killpg(interrupted.pid, signal.SIGINT)
        said, _ = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130
    assert f"version {left} was left in part (encrypt-data switched), and stays in quarantine" in said
    assert json.loads(checkout.pf("diagnose", "rollback", "--json", check=False).stdout)["next"] == (
        "./pf rollback --reason WHY"
    )
    refused = checkout.pf("deploy", check=False)
    assert refused.returncode == 3
    assert f"./pf unblock {left}" in refused.stderr
    checkout.pf("rollback", "--reason", "it is wrong")
    assert (note_of(checkout), live(checkout)) == ("", left + 1)
    assert report(checkout)["verified"]


def breaks_when_told(handler: Path, whose: str) -> None:
    """The function is well until it is asked to break, and serves nobody from then on.

    `whose`: the release of another test is in quarantine by then, and comes back by no deployment.
    """
    text = f"// {whose}\n{handler.read_text()}"
    text = text.replace("purposes: PURPOSES", "purposes: served")
    text = text.replace("export const encryptData", "const served = [...PURPOSES];\n\nexport const encryptData")
    text = text.replace(
        "  const caller = callerOf(request);\n",
        "  if ((await request.clone().text()).includes('break')) served.length = 0;\n"
        "  if (served.length === 0) throw new Error('broken');\n"
        "  const caller = callerOf(request);\n",
        1,
    )
    handler.write_text(text)


@pytest.mark.drill
@pytest.mark.rows("K8", "D3")
def test_a_deployment_with_other_locked_packages_is_taken_back_with_those_of_before(
    checkout: Checkout, handler: Path
) -> None:
    """Installed before the deployment, by the uv that `make setup` left."""
    before, lock = live(checkout), checkout.root / "uv.lock"
    text = lock.read_text()
    lock.write_text(f"{text}\n# another lock\n")
    answering(handler, "of other packages", ciphertext="''")
    try:
        deployed = checkout.pf("deploy", check=False)
    finally:
        lock.write_text(text)
    assert deployed.returncode == 4
    said = deployed.stderr
    assert said.index("installing the packages that this version was locked to") < said.index("Updating")
    assert f"version {before} has been brought back" in said
    assert note_of(checkout) == ""


@pytest.mark.drill
@pytest.mark.rows("D3", "L6", "M8")
def test_what_fails_after_its_verification_is_seen_by_the_watch_and_taken_back(
    checkout: Checkout, handler: Path
) -> None:
    checkout.pf("deploy")
    before = live(checkout)
    breaks_when_told(handler, "a deployment's own watch")
    with subprocess.Popen(
        ["./pf", "deploy", "--watch", "5m", "--reason", "a fault"],
        cwd=checkout.root,
        env=checkout.shell,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as deployment:
        assert deployment.stderr
        told = next((line for line in deployment.stderr if line.startswith("watching")), "")
        assert told, "the verification failed"
        fault = time.time()
        checkout.call("encrypt-data", {"break": "now"}, checkout.token("service_role"))
        rest = deployment.stderr.read()
    assert deployment.returncode == 4, rest
    back, said = (one["report"] for one in json.loads(checkout.pf("report", "--json").stdout)[:2])
    assert "the watch saw it fail" in said["why"]
    assert (said["result"], said["verified"]) == ("rolled back", False)
    assert (back["target"], back["verified"]) == (before, True)
    assert datetime.fromisoformat(back["ended_at"]).timestamp() - fault < 10 * 60  # L6
    subjects = [one["subject"] for one in json.loads(checkout.pf("sandbox", "inbox", "--json").stdout)]
    assert any("deployment rolled back" in one for one in subjects)


@pytest.mark.drill
@pytest.mark.rows("D1", "D3")
def test_a_watch_of_its_own_takes_back_what_fails_after_the_deployment_has_ended(
    checkout: Checkout, handler: Path
) -> None:
    checkout.pf("deploy")
    before = live(checkout)
    breaks_when_told(handler, "a watch of its own")
    checkout.pf("deploy")
    assert "nothing broke" in checkout.pf("watch", "--for", "3s").stderr
    assert {"encrypt-data", "rest"} <= {one["name"] for one in report(checkout)["checks"]}
    checkout.call("encrypt-data", {"break": "now"}, checkout.token("service_role"))
    watched = checkout.pf("watch", "--for", "1m", check=False)
    assert watched.returncode == 4, watched.stderr
    assert f"version {before} has been brought back" in watched.stderr
    back, said = (one["report"] for one in json.loads(checkout.pf("report", "--json").stdout)[:2])
    assert (said["kind"], said["result"], said["verified"]) == ("watch", "rolled back", False)
    assert (back["kind"], back["target"], back["verified"]) == ("rollback", before, True)
    refused = checkout.pf("watch", check=False)
    assert (refused.returncode, "nothing to watch" in refused.stderr) == (3, True)


@pytest.mark.rows("E4", "O3")
def test_a_version_comes_back_and_what_was_left_stays_away(checkout: Checkout, handler: Path) -> None:
    first, keys = live(checkout), key_ids(checkout)
    answering(handler, "B")
    checkout.pf("deploy")
    settings = checkout.root / "Pulumi.sandbox.yaml"
    before = settings.read_text()
    settings.write_text(before.replace("security@example.com", "security-on-call@example.com"))
    answering(handler, "C")
    checkout.approved()
    checkout.pf("deploy")
    assert note_of(checkout) == "C"
    left = live(checkout)

    stood = checkout.standing()
    plan = checkout.pf("rollback", "--version", str(first), "--reason", "a drill", "--dry-run").stdout
    assert f"from version {left} back to version {first}" in plan
    assert "encrypt-data" in plan
    assert re.search("alarms +tell others than now: security\n", plan)
    assert (checkout.standing(), note_of(checkout)) == (stood, "C")

    source = json.loads((store(checkout) / f"versions/{left}.json").read_text())["source"]
    archived = store(checkout) / f"sources/{source}.tar.gz"
    archived.write_bytes(b"damaged")
    for looked in (checkout.pf("doctor").stderr, checkout.pf("diagnose", "rollback").stdout):
        assert source[:12] in looked
    back = checkout.pf("rollback", "--version", str(first), "--reason", "C is wrong")
    assert f"version {left} can't be unpacked" in back.stderr
    assert f"the alarms tell whom version {first} told; it differs in: security\n" in back.stderr
    assert note_of(checkout) == ""
    assert live(checkout) == left + 1
    assert key_ids(checkout) == keys
    again = checkout.pf("deploy", check=False)
    assert again.returncode != 0
    assert f"./pf unblock {left}" in again.stderr
    assert note_of(checkout) == ""

    checkout.pf("unblock", str(left), "--reason", "a test")
    checkout.pf("deploy")
    assert note_of(checkout) == "C"
    assert digest_of(archived.read_bytes()) == source
    checkout.pf("rollback", "--version", str(left + 1), "--reason", "to what a rollback had made")
    settings.write_text(before)
    assert note_of(checkout) == ""
    checkout.pf("unblock", str(left), "--reason", "the other tests")
    answering(handler, "")
    handler.write_text(handler.read_text().replace(' note: "",', "").replace("ciphertext: ciphertext", "ciphertext"))
    checkout.pulumi("preview", "--expect-no-changes", "--non-interactive")


def test_an_emergency_needs_the_commanders_word_and_no_present_program(checkout: Checkout, handler: Path) -> None:
    answering(handler, "B")
    checkout.pf("deploy")
    refused = checkout.pf("rollback", "--emergency", "--reason", "it burns", check=False)
    assert refused.returncode == 3
    assert "pf incident open" in refused.stderr
    program, settings = checkout.root / "__main__.py", checkout.root / "Pulumi.sandbox.yaml"
    before = program.read_text(), settings.read_text()
    program.write_text("import nothing_of_that_name\n")
    settings.write_text("config: [\n")
    try:
        diagnosis = json.loads(checkout.pf("diagnose", "rollback", "--json").stdout)
        states = {one["about"]: one["state"] for one in diagnosis["findings"]}
        assert states.pop("this checkout") == "note"
        assert set(states.values()) <= {"good", "note"}, diagnosis  # the quarantine may have entries
        key = str(checkout.state / "sandbox/people/incident-commander")
        checkout.pf("rollback", "--emergency", "--reason", "it burns", "--key", key)
    finally:
        program.write_text(before[0])
        settings.write_text(before[1])
    assert note_of(checkout) == ""
    said = report(checkout)
    assert said["verified"]
    assert [one["row"] for one in said["benchmarks"]] == ["P5"]


@pytest.mark.drill
@pytest.mark.rows("C1", "C2")
def test_a_version_that_came_in_an_incident_is_approved_where_it_is_brought_back(checkout: Checkout) -> None:
    file, people = checkout.root / "Pulumi.sandbox.yaml", checkout.state / "sandbox/people"
    before, commander = file.read_text(), str(people / "incident-commander")
    opened = checkout.pf("incident", "open", "--reason", "x", "--key", commander, "--confirm", "sandbox").stdout.strip()
    try:
        file.write_text(before.replace("config:\n", "config:\n  parker-flight:logRetentionDays: 30\n"))
        checkout.pf("deploy", "--emergency", "--reason", "a test")
        number = str(live(checkout))
    finally:
        file.write_text(before)
        checkout.pf("incident", "close", opened, "--reason", "a test")
    checkout.pf("deploy")
    denied = checkout.pf("rollback", "--version", number, "--reason", "x", check=False)
    assert denied.returncode == 3
    assert denied.stderr.endswith(f": ./pf approvals --version {number}\n")
    asked = json.loads(checkout.pf("approvals", "--version", number, "--json").stdout)
    for role in ("security", "devops"):
        checkout.pf(
            *("approve", "--version", number, "--key", str(people / role), "--reason", "it was good"),
            *("--requester", "somebody@example.com", "--confirm", asked["surface"][:12]),
        )
    checkout.pf("rollback", "--version", number, "--reason", "x")
    assert report(checkout)["verified"]
    checkout.pf("unblock", str(report(checkout)["version_before"]), "--reason", "the other tests")
    checkout.pf("deploy")


@pytest.mark.drill
@pytest.mark.rows("K7", "T4")
def test_a_key_that_a_denied_rollback_adopted_goes_out_of_the_state_by_one_command(
    checkout: Checkout, handler: Path, tmp_path: Path
) -> None:
    """A forged release names a key of another; the engine imports it before the gate is asked."""
    checkout.pf("deploy")
    file = store(checkout) / f"versions/{live(checkout)}.json"
    answering(handler, "K")
    checkout.pf("deploy")
    foreign = checkout.aws("kms").create_key(Description="another's")["KeyMetadata"]["KeyId"]
    before, key = file.read_bytes(), str(checkout.state / "sandbox/people/incident-commander")
    forge(checkout, file, tmp_path, {"parker-flight:existingKeyIds": {"payment": foreign}})
    try:
        denied = checkout.pf(
            *("rollback", "--version", file.stem, "--emergency", "--reason", "x", "--key", key), check=False
        )
    finally:
        file.write_bytes(before)
    assert denied.returncode == 4
    for command in (("deploy",), ("rollback", "--reason", "x")):
        refused = checkout.pf(*command, check=False)
        assert refused.returncode == 3
        assert f"payment-{foreign}" in refused.stderr
        assert refused.stderr.endswith(": ./pf recover\n")
    checkout.pf("recover")
    assert checkout.aws("kms").describe_key(KeyId=foreign)["KeyMetadata"]["KeyState"] == "Enabled"
    opened = json.loads(checkout.pf("incident", "status", "--json").stdout)[0]["id"]
    checkout.pf("incident", "close", opened, "--reason", "a test")
    checkout.pf("rollback", "--version", file.stem, "--reason", "nothing stands in its way")
    assert note_of(checkout) == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--version", "999", "--reason", "x"), "there is no version 999"),
        (("--target", "0123456789abcdef", "--reason", "x"), "no version was made from the commit"),
        (("--target", "0123", "--reason", "x"), "too short for a commit"),
        (("--version", "1"), "a rollback needs a reason"),
        (("--version", "1", "--reason", "two\nlines"), "more than one line"),
        (("--version", "1", "--reason", "x" * 10_000), "10000 characters"),
        (("--reason", "x", "--wait", "soon"), "'soon' is no time"),
    ],
)
def test_a_wish_that_cannot_be_met_changes_nothing(
    checkout: Checkout, arguments: tuple[str, ...], message: str
) -> None:
    before, stood = live(checkout), checkout.standing()
    refused = checkout.pf("rollback", *arguments, check=False)
    assert refused.returncode in (3, 64)
    assert message in refused.stderr
    assert (live(checkout), checkout.standing()) == (before, stood)


def test_a_rollback_to_what_stands_is_refused(checkout: Checkout) -> None:
    stood = checkout.standing()
    refused = checkout.pf("rollback", "--version", str(live(checkout)), "--reason", "x", check=False)
    assert refused.returncode == 3
    assert "brings what stands already" in refused.stderr
    assert checkout.standing() == stood
