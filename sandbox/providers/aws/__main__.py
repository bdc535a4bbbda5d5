"""`pulumi-resource-aws`."""

import sys

from sandbox.providers.aws.provider import AwsProvider
from sandbox.providers.server import serve

if __name__ == "__main__":
    serve(AwsProvider(version=sys.argv[1]))
