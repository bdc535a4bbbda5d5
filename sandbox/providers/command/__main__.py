"""`pulumi-resource-command`."""

import sys

from sandbox.providers.command.processes import end_all
from sandbox.providers.command.provider import CommandProvider
from sandbox.providers.server import serve

if __name__ == "__main__":
    serve(CommandProvider(version=sys.argv[1]), on_end=end_all)
