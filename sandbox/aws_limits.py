"""What the AWS of the sandbox does not do like the real one; shown by `./pf sandbox status`."""

NOT_SIMULATED = (
    "CloudWatch alarms keep the state in which they were made: nothing evaluates them, no action runs",
    "composite alarms are not served",
    "nothing that is published to a topic is sent to anybody: ./pf sandbox inbox shows it",
    "IAM policies and key policies are stored and not enforced",
    "a disabled key still encrypts",
    "keys, aliases and metrics are gone when the AWS part stops",
)
