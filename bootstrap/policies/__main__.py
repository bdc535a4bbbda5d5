"""The policy pack of the bootstrap project: the stacks' rules, without the approval gate."""

import os
import signal
import sys
from pathlib import Path

# The engine ends packs by Ctrl-C's signal, and waits 5 s for one that takes its time.
signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(0))
sys.path[0] = str(Path(__file__).resolve().parents[2])  # this checkout's modules, and no program's

from pulumi_policy import PolicyPack  # noqa: E402

from policies.analyzer import install  # noqa: E402
from policies.foundation import policies  # noqa: E402

install(gates=[])
PolicyPack("parker-flight-bootstrap", policies())
