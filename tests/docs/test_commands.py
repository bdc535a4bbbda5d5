"""Every command of the documents is one that works: they are run here, in order, as they stand."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from operations.cli import app
from sandbox.cli import app as sandbox
from tests.e2e.checkout import ROOT, Checkout, new_checkout

DOCUMENTS = sorted(str(file.relative_to(ROOT)) for file in ROOT.glob("docs/**/*.md"))
WITHIN_A_SENTENCE = re.compile(r"`\./pf ([^`\n]+)`")
PLACEHOLDERS = {"N": "1"}  # what a person puts in the place of a number
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(document: str) -> list[str]:
    return BLOCK.findall((ROOT / document).read_text())


def run_all(checkout: Checkout, document: str) -> None:
    for block in commands(document):
        checkout.run("sh", "-euc", block)


@pytest.mark.rows("R5", "M9")
def test_every_command_of_the_runbook_works() -> None:
    assert len(commands("docs/runbook.md")) >= 6
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.approved()
        checkout.pf("deploy")
        run_all(checkout, "docs/runbook.md")


@pytest.mark.drill
@pytest.mark.rows("K7")
def test_every_command_of_the_readme_works() -> None:
    assert commands("README.md")
    with new_checkout() as checkout:
        # `make up` sets the tools up itself, and must not do so in the folder that the other tests share.
        (checkout.state / "toolchain").unlink()
        run_all(checkout, "README.md")


@pytest.mark.drill
@pytest.mark.rows("K7", "R5")
def test_the_way_to_production_is_rehearsed_by_its_own_commands() -> None:
    assert commands("docs/going-to-production.md")
    with new_checkout() as checkout:
        run_all(checkout, "docs/going-to-production.md")


@pytest.mark.rows("R5")
@pytest.mark.parametrize("document", ["README.md", *DOCUMENTS])
def test_every_command_within_a_sentence_is_one_of_pf(document: str) -> None:
    for line in WITHIN_A_SENTENCE.findall((ROOT / document).read_text()):
        words = [PLACEHOLDERS.get(word, word) for word in shlex.split(line)]
        command: Any = typer.main.get_command(sandbox if words[0] == "sandbox" else app)
        words = words[words[0] == "sandbox" :]
        while words and not words[0].startswith("-") and (verbs := getattr(command, "commands", {})):
            assert words[0] in verbs, f"./pf {line}"
            command = verbs[words.pop(0)]
        if words != ["--help"]:
            command.make_context(f"pf {line}", words)  # raises what is wrong with the options


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_between_documents_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text):
        assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"


def test_no_document_names_a_folder_of_one_machine() -> None:
    for file in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        assert not re.search(r"/(home|root|work|Users)/", Path(file).read_text()), file
