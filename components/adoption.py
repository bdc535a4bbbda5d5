"""Taking over what was there before the program."""

import pulumi


def adopted(parent: pulumi.Resource, existing: str) -> pulumi.ResourceOptions:
    """Import `existing`, then bring it to what is declared: the engine does both in one update.

    What we didn't make we don't take away: a destroy leaves it, so that the next update finds it again.
    """
    return pulumi.ResourceOptions(parent=parent, import_=existing, protect=True, retain_on_delete=True)
