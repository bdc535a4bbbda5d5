"""The environment that leads the tools to the sandbox: the same variables that production sets otherwise."""

import os

from sandbox.state import State
from sandbox.supabase.credentials import Credentials
from sandbox.supabase.profile import write_profile

REGION = "us-east-1"


def variables(state: State, credentials: Credentials) -> dict[str, str]:
    """Addresses and credentials of this sandbox; worthless elsewhere."""
    return {
        "AWS_ENDPOINT_URL": state.url("aws"),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "sandbox",
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_EC2_METADATA_DISABLED": "true",
        "SUPABASE_ACCESS_TOKEN": credentials.access_token,
        "SUPABASE_PROFILE": str(state.folder("supabase") / "profile.yaml"),
        "SUPABASE_API_URL": state.url("supabase"),
        "SUPABASE_URL": state.url("supabase"),
        "SUPABASE_ANON_KEY": credentials.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": credentials.service_role_key,
        "PF_APPROVALS": str(state.folder("approvals")),
        "PF_REPORTS": f"file://{state.folder('reports')}",
        "PULUMI_HOME": str(state.folder("pulumi-home")),
        # Without it the engine keeps a side file by each state, not written at one stroke: a kill can leave it half.
        "PULUMI_BACKEND_URL": f"file://{state.folder('pulumi')}?metadata=skip",
        # For stacks that somebody adds; the sandbox's own is encrypted by a key (sandbox/aws/stack_key.py).
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
    }


def write(state: State, credentials: Credentials) -> None:
    """Write the CLI's profile and `sandbox.env`, readable by this user alone."""
    write_profile(state.folder("supabase") / "profile.yaml", state.url("supabase"))
    lines = (f"{name}={value}\n" for name, value in variables(state, credentials).items())
    temporary = state.environment_file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.writelines(lines)
    temporary.rename(state.environment_file)
