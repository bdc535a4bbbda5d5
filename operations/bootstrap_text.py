"""What is to be done after `pf bootstrap`, as commands: none holds a secret."""

from collections.abc import Iterator

from operations.bootstrap import Ground
from operations.bootstrap_check import ci_needs
from operations.repository_rules import environments, rulesets, sent
from settings import content_of


def next_steps(ground: Ground, *, signers_confirmed: bool) -> Iterator[tuple[str, str]]:
    """(why, commands for a shell)."""
    stack, site, repository = ground.stack, ground.site, ground.foundation.repository
    init = f"\npulumi stack init {stack.name} --secrets-provider '{site.secrets_provider}'"
    made = content_of(stack.name, stack.root).get("secretsprovider") == site.secrets_provider
    yield (
        f"have the state of {stack.name} in the bucket, and what would be secret in it encrypted by the key",
        f"export PULUMI_BACKEND_URL='{ground.url}'\neval \"$(./pf env --stack {stack.name})\"{'' if made else init}",
    )
    files = f"{ground.file.relative_to(stack.root)} Pulumi.{stack.name}.yaml"
    yield (
        "keep what says how this was made and how the state is encrypted; then push it",
        f"git add {files}\ngit commit -m 'What {stack.name} stands on'",
    )
    if not signers_confirmed:
        yield "confirm who may approve", f"./pf signers confirm --stack {stack.name}"
    hotfixes, protected = (sent(one) for one in rulesets(ground.branch))
    yield hotfixes.why, hotfixes.command(repository)
    for one in environments(ground.branch):  # GitHub takes no setting of one that isn't there
        told = [one.made, *map(one.admitting, one.branches)]
        yield one.why, "\n".join(call.command(repository) for call in told)
    yield (
        f"tell the jobs of {repository} where things are (gh asks for the value of a secret)",
        "\n".join(one.command(repository) for one in ci_needs(ground)),
    )
    yield f"{protected.why}: nobody pushes to it any more", protected.command(repository)
    yield "see that nothing is missing", f"{ground.command} --check"


def show_steps(ground: Ground, *, signers_confirmed: bool) -> None:
    """On standard output, so that it can be kept and run."""
    for number, (why, commands) in enumerate(next_steps(ground, signers_confirmed=signers_confirmed), 1):
        print(f"# {number}. {why}\n{commands}\n")
