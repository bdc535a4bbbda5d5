"""Tells the stack's subscribers what a deployment or a rollback did, by its topics. Never stops what it tells of."""

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING

from components.naming import DEPLOYMENTS, METRICS_OPERATIONS, ROLLBACKS, Topic
from operations.output import say
from operations.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef

LONGEST_SUBJECT = 99  # SNS wants fewer than 100, and mail ASCII
# A rollback has 10 s in all (P5), and doesn't spend them on telling.
SECONDS = 2.0
ATTEMPTS = 2


class Event(Enum):
    """What happened, in the subject's words, and who hears of it."""

    DEPLOYMENT_STARTED = ("deployment started", Topic.INFO)
    DEPLOYMENT_SUCCEEDED = ("deployment succeeded", Topic.INFO)
    DEPLOYMENT_FAILED = ("deployment failed", Topic.INFO)
    DEPLOYMENT_ROLLED_BACK = ("deployment rolled back", Topic.INFO)
    ROLLBACK_STARTED = ("rollback started", Topic.INFO)
    ROLLBACK_SUCCEEDED = ("rollback succeeded", Topic.INFO)
    ROLLBACK_FAILED = ("rollback failed", Topic.LEVEL_3)
    WATCH_FAILED = ("watch failed", Topic.WARNING)
    UNREADABLE = ("deployment can't be watched", Topic.LEVEL_3)

    def __init__(self, words: str, topic: Topic) -> None:
        self.words = words
        self.topic = topic


STARTS: Mapping[Event, str] = {Event.DEPLOYMENT_STARTED: DEPLOYMENTS, Event.ROLLBACK_STARTED: ROLLBACKS}


def notify(
    stack: Stack, event: Event, text: str, facts: Mapping[str, object] | None = None, *, unmade: bool = False
) -> str | None:
    """`text` is for people and stands first, `facts` are for machines. What went wrong, if it couldn't be sent.

    `unmade`: nothing is deployed, as far as is known, so that nobody may be there to hear.
    """
    from operations.aws import Aws, AwsError, code_of, explained

    topic = stack.settings.site.topic(event.topic)
    aws = Aws(stack, seconds=SECONDS, attempts=ATTEMPTS)
    try:
        aws.sns.publish(
            TopicArn=stack.settings.site.arn("sns", topic),
            Subject=subject(stack.name, event, text),
            Message=message(stack, event, text, facts or {}),
        )
        if event in STARTS:
            aws.cloudwatch.put_metric_data(Namespace=METRICS_OPERATIONS, MetricData=[_start(stack, event)])
    except AwsError as error:
        if (unmade or event is Event.DEPLOYMENT_STARTED) and code_of(error) == "NotFound":
            return None  # the first deployment makes the topic
        problem = explained(error, stack, f"telling {topic} of the {event.words.partition(' ')[0]}")
        say(f"warning: {problem}")
        return problem.message
    return None


def _start(stack: Stack, event: Event) -> "MetricDatumTypeDef":
    """For the dashboard: what was deployed or rolled back when."""
    here = stack.settings.environment
    return {"MetricName": STARTS[event], "Dimensions": [{"Name": "Environment", "Value": here}], "Value": 1}


def subject(stack: str, event: Event, text: str) -> str:
    """`Parker Flight production: rollback failed - ` and how the text begins, in what SNS accepts as a subject."""
    whole = f"Parker Flight {stack}: {event.words} - {text}"
    line = re.sub(r"[^ -~]+", "?", " ".join(whole.split()))
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 3]}..."


def message(stack: Stack, event: Event, text: str, facts: Mapping[str, object]) -> str:
    head = {"stack": stack.name, "environment": stack.settings.environment, "event": event.name.lower()}
    return f"{text}\n\n{json.dumps({**head, **facts}, indent=2, default=str)}\n"
