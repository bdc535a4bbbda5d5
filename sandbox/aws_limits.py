"""What the AWS of the sandbox does not do like the real one; shown by `./pf sandbox status`."""

NOT_SIMULATED = (
    "of an alarm's actions only those on topics are run",
    "nothing that is published to a topic is sent to anybody: ./pf sandbox inbox shows it",
    "policies are enforced on the use of keys, when a role is assumed, and where EventBridge calls; others are stored",
    "the sandbox's own credentials are the account itself: what they do no policy refuses",
    "a key's grants are kept and listed, and let nobody in",
    "a key's material stays as it is: a rotation on demand is only listed, and one by its period never comes",
    "of an identity provider the audiences can't be changed",
    "functions run on this project's Python, each time in a new process, and one run of a function at a time",
    "scheduled rules run at their rate(...), first one interval after they were made; cron(...) never runs",
    "of API calls, rules hear those that change KMS, CloudWatch, IAM, SNS, EventBridge or Logs, and hear them at once",
    "a trail logs from the first, and rules hear of calls whether it does or not",
    "keys, aliases, buckets, metrics, functions and rules are gone when the AWS part stops",
)
