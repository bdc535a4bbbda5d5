"""Taking a stack away, except what must never go by a command: keys and their aliases stay, in AWS and in the state."""

from operations import access_key, probe_secrets
from operations.engine import Engine, EngineError, StackMissingError
from operations.errors import ExitCode, OperationError
from operations.output import say
from operations.preflight import account, passphrase, project, tools
from operations.recover import recover
from operations.stack import Stack

DESTROY = ("destroy", "--exclude-protected")


def destroy(stack: Stack) -> None:
    """Always with --exclude-protected; the next deployment finds the keys again and makes no second ones.

    Whatever can refuse does so first: the engine's own preview opens the backend, the secrets and every provider.
    """
    tools(stack)
    passphrase(stack)
    account(stack)
    project(stack)
    engine = Engine(stack)
    engine.refuse_while_locked()
    try:
        engine.read(*DESTROY, "--preview-only")
    except StackMissingError as error:
        raise OperationError(f"{error.message}: nothing to take away", "Is PULUMI_BACKEND_URL right?") from error
    except EngineError as error:
        raise OperationError(error.message, f"Nothing was changed. Mend that, then: {_again(stack)}") from error
    recover(stack, engine)
    left = "the functions may have lost their access key"
    try:
        say("taking the functions' access key and the probe's keys away")
        access_key.remove(stack)
        left = "the functions' access key is gone, and so may be a part of the rest"
        probe_secrets.remove(stack)
        engine.change(*DESTROY, "--yes", "--skip-preview")
    except KeyboardInterrupt:
        raise OperationError(f"interrupted: {left}", f"Finish it: {_again(stack)}", ExitCode.INTERRUPTED) from None
    except OperationError as error:
        code = error.code if error.code is ExitCode.INTERRUPTED else ExitCode.FAILED
        raise OperationError(f"{error.message}\n  {left}", _finish(stack, error.cure), code) from error
    say(
        f"\n{stack.name} is gone, except its keys and aliases: what they encrypted can still be read.\n"
        f"Bring everything back: ./pf deploy{stack.command}"
    )


def _again(stack: Stack) -> str:
    return f"./pf destroy{stack.command}"


def _finish(stack: Stack, cure: str) -> str:
    return cure if _again(stack) in cure else f"{cure}\n  Then finish it: {_again(stack)}".lstrip()
