"""`pulumi-resource-command VERSION`."""

import gc
import sys

from sandbox.providers.sdk import skip_the_sdk


def main() -> None:
    gc.disable()  # nothing of what is imported is garbage, and the process ends with the engine's run
    skip_the_sdk()
    from sandbox.providers.command.processes import end_all
    from sandbox.providers.command.provider import CommandProvider
    from sandbox.providers.server import serve

    serve(CommandProvider(version=sys.argv[1]), on_end=end_all)


if __name__ == "__main__":
    main()
