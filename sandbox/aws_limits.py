"""What the AWS of the sandbox does not do like the real one; shown by `./pf sandbox status`."""

NOT_SIMULATED = (
    "CloudWatch alarms keep the state in which they were made: nothing evaluates them, no action runs",
    "nothing that is published to a topic is sent to anybody: ./pf sandbox inbox shows it",
    "IAM policies and key policies are stored and not enforced; only what lets EventBridge into a function or a topic is",
    "a disabled key still encrypts",
    "functions run on this project's Python, each time in a new process, and one run of a function at a time",
    "scheduled rules run at their rate(...), first one interval after they were made; cron(...) never runs",
    "keys, aliases, metrics, functions and rules are gone when the AWS part stops",
)
