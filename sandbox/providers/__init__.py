"""Stand-ins for the Pulumi plugins `aws` and `command`, which package registries don't carry.

They serve the resource types that this project uses, with the checks and replace rules of the official ones.
"""
