"""`pulumi-resource-aws VERSION`."""

import sys

from sandbox.providers.sdk import skip_the_sdk


def main() -> None:
    skip_the_sdk()
    from sandbox.providers.aws.provider import AwsProvider
    from sandbox.providers.server import serve

    serve(AwsProvider(version=sys.argv[1]))


if __name__ == "__main__":
    main()
