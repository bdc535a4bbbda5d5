"""The keys that the probe asks with: put into the parameter store beside Pulumi, encrypted, and taken away again."""

from operations.aws import Aws, AwsError, explained
from operations.stack import Stack
from probe.settings import ANON_KEY, SERVICE_ROLE_KEY


def _wanted(stack: Stack) -> dict[str, str]:
    environment, path = stack.environment, stack.settings.site.probe_parameters
    return {
        f"{path}/{ANON_KEY}": environment.supabase_anon_key.get_secret_value(),
        f"{path}/{SERVICE_ROLE_KEY}": environment.supabase_service_role_key.get_secret_value(),
    }


def ensure(stack: Stack) -> list[str]:
    """The names of those that had to be put there: what is right stays as it is."""
    store, wanted = Aws(stack).ssm, _wanted(stack)
    try:
        found = store.get_parameters(Names=sorted(wanted), WithDecryption=True)["Parameters"]
        held = {one["Name"]: one["Value"] for one in found if one["Type"] == "SecureString"}
        changed = [name for name, value in sorted(wanted.items()) if held.get(name) != value]
        for name in changed:
            store.put_parameter(Name=name, Value=wanted[name], Type="SecureString", Overwrite=True)
    except AwsError as error:
        raise explained(error, stack, "putting the probe's keys into the parameter store") from error
    return changed


def remove(stack: Stack) -> None:
    try:
        Aws(stack).ssm.delete_parameters(Names=sorted(_wanted(stack)))
    except AwsError as error:
        raise explained(error, stack, "taking the probe's keys out of the parameter store") from error
