"""What the simulation takes for given: one place, each with where it is from. Seconds where nothing else is said."""

from probe.rounds import ROUNDS

# The probe: probe/rounds.py says the rest, components/probe.py how often it runs.
RUN_EVERY = 60
LOAD_ROUNDS = (0, ROUNDS - 1)  # those that read the database's load too
LATE_START = 2.0  # assumed, at most: EventBridge promises no second, and Lambda may start cold
REFUSED = 0.05  # assumed: how soon a refused connection, or an error, is seen
PUBLISHING = 0.3  # assumed: PutMetricData, from Lambda and from a function

# The functions publish in batches, after the answer: issue 7, part 1.
BATCH = 2.0  # how long a request waits to be published, at most

# CloudWatch and SNS. AWS promises nothing here.
VISIBLE = 5.0  # assumed, at most: from PutMetricData to an evaluation that sees it
DELIVERY = 2.0  # assumed, at most: from the change of state to whoever is told

# Traffic by day: P1-P3 of docs/requirements.md, where a rate is hardest to judge: the fewest requests a second, and the
# slowest answers.
REQUESTS = {"encrypt-data": 25.0, "create-payment-method": 40.0}
LATENCY = {"rest": 35.0, "encrypt-data": 50.0, "create-payment-method": 30.0, "kms": 20.0}  # ms, median; KMS: assumed
SPREAD = 0.3  # assumed: sigma of a latency's logarithm, so that its p95 is 1.6 times its median

# A healthy week.
NIGHT = 0.02  # of the day's traffic, at its lowest
ERRORS = 0.0005  # of the requests: half the budget of L3
LOST_ROUNDS = 0.001  # in so many rounds one endpoint gives no answer in time: a third of the budget of L1
LOST_RUNS = 0.001  # assumed: runs of the probe that never start
CONNECTIONS = 30.0  # assumed
LOAD_PERCENT = {"CpuPercent": 25.0, "MemoryPercent": 60.0, "DiskPercent": 40.0, "ConnectionsPercent": 33.0}  # assumed

LIMIT = 120.0  # L4
AIM = 90.0
