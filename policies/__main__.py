"""The policy pack's process. The engine starts it in the program's folder, with this folder first on the path."""

import gc
import os
import signal
import sys
from pathlib import Path

# The engine ends packs by Ctrl-C's signal, and waits 5 s for one that takes its time.
signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(0))
gc.disable()  # nothing of what is imported is garbage, and what comes afterwards isn't worth a search: it ends soon
# The pack's own checkout, never a `policies` or `components` of the program that it judges.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pulumi_policy import PolicyPack  # noqa: E402

from gate.evidence import DRY_RUN, of_environment  # noqa: E402
from policies import waivers  # noqa: E402
from policies.analyzer import APPROVAL, PACK, install  # noqa: E402
from policies.approval import ApprovalGate  # noqa: E402
from policies.rules import all_policies, version  # noqa: E402

POLICIES = all_policies()
GATE = ApprovalGate(of_environment(Path.cwd(), os.environ), dry_run=os.environ.get(DRY_RUN) == "true", pack=version())
try:
    install(gates=[GATE], waivers=waivers.load({policy.name for policy in POLICIES} - {APPROVAL}))
except waivers.WaiverError as error:
    sys.exit(str(error))
PolicyPack(PACK, POLICIES)
