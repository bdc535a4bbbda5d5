"""`pulumi-resource-aws VERSION`."""

import gc
import sys

from sandbox.providers.sdk import skip_the_sdk


def main() -> None:
    gc.disable()  # nothing of what is imported is garbage, and the process ends with the engine's run
    skip_the_sdk()
    from sandbox.providers.aws.provider import AwsProvider
    from sandbox.providers.server import serve

    serve(AwsProvider(version=sys.argv[1]))


if __name__ == "__main__":
    main()
