"""The Supabase edge functions of one release, and the settings that they read.

Two commands run the real Supabase CLI through `components.functions_release`: one switches all changed functions in one
call and then names the release, one sets what the functions read from their environment. No secret value passes here:
tokens come from the environment of the process that runs Pulumi, the functions' own secrets from the operations tool.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from components.function_source import Release
from components.naming import GENERAL, PAYMENT, PII, Site

# Relative, and the same on every machine: an absolute path would be a change in every other clone.
TOOL = "${PF_PYTHON:-.venv/bin/python} -m components.functions_release"


def function_settings(site: Site, external_id: str) -> dict[str, str]:
    """What the functions read from their environment, but for secrets."""
    return {
        "PF_ENVIRONMENT": site.environment,
        "PF_AWS_REGION": site.region,
        "PF_ROLE_ARN": site.role_arn,
        "PF_EXTERNAL_ID": external_id,
        "PF_KEY_ALIAS_GENERAL": site.alias(GENERAL),
        "PF_KEY_ALIAS_PII": site.alias(PII),
        "PF_KEY_ALIAS_PAYMENT": site.alias(PAYMENT),
    }


@dataclass(frozen=True, kw_only=True)
class EdgeFunctionsArgs:
    project_ref: str
    release: Release
    settings: Mapping[str, pulumi.Input[str]]
    functions_url: str
    after: Sequence[pulumi.Resource] = ()  # what the code needs when it goes live

    def __post_init__(self) -> None:
        wrong = [name for name in self.settings if not name.startswith("PF_")]
        if wrong:
            raise ValueError(f"settings of the functions begin with PF_, not so {', '.join(wrong)}")


class EdgeFunctions(pulumi.ComponentResource):
    """What changes with a release stands in `environment`: changed triggers would replace the command, and that deploys
    every function anew and then runs the old one's delete.
    """

    urls: Mapping[str, str]
    deployed: pulumi.Output[str]

    def __init__(self, name: str, args: EdgeFunctionsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:supabase:EdgeFunctions", name, None, opts)
        functions = command.local.Command(
            f"{name}-release",
            create=f"{TOOL} deploy",
            update=f"{TOOL} deploy",
            delete=f"{TOOL} remove",
            environment={
                "PF_PROJECT_REF": args.project_ref,
                "PF_RELEASE": args.release.digest,
                "PF_RELEASE_FUNCTIONS": "\n".join(args.release.contents),
            },
            logging=command.local.Logging.STDERR,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        # Needs nothing that `after` names; and its plugin is up by the time that the release waits for no more.
        names = " ".join(sorted(args.settings))
        command.local.Command(
            f"{name}-settings",
            create=f"{TOOL} set {names}",
            update=f"{TOOL} set {names}",
            delete=f"{TOOL} unset",
            environment={**args.settings, "PF_PROJECT_REF": args.project_ref},
            logging=command.local.Logging.STDERR,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.urls = {function: f"{args.functions_url}/{function}" for function in sorted(args.release.functions)}
        self.deployed = functions.stdout
        self.register_outputs({"release": args.release.digest, "deployed": self.deployed})
