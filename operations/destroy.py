"""Taking a stack away, except what must never go by a command: keys and their aliases stay, in AWS and in the state."""

from operations import access_key
from operations.engine import Engine
from operations.output import say
from operations.preflight import account, project, tools
from operations.recover import recover
from operations.stack import Stack


def destroy(stack: Stack) -> None:
    """Always with --exclude-protected; the next deployment finds the keys again and makes no second ones."""
    tools(stack)
    account(stack)
    project(stack)
    engine = Engine(stack)
    recover(stack, engine)
    say("taking the functions' access key away")
    access_key.remove(stack)
    engine.change("destroy", "--yes", "--skip-preview", "--exclude-protected")
    say(
        f"\n{stack.name} is gone, except its keys and aliases: what they encrypted can still be read.\n"
        f"Bring everything back: ./pf deploy{stack.command}"
    )
