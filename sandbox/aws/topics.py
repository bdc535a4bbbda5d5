"""Attributes of topics that moto takes and doesn't give back: every refresh would report drift."""

from typing import Any

from moto.core.responses import ActionResult
from moto.sns.responses import SNSResponse

KEPT = {"SignatureVersion": "signature_version", "TracingConfig": "tracing_config"}


def show_attributes(response: type[SNSResponse]) -> None:
    served = response.get_topic_attributes

    def get_topic_attributes(self: SNSResponse) -> ActionResult:
        answer = served(self)
        shown: Any = answer.result
        topic = self.backend.get_topic(shown["Attributes"]["TopicArn"])
        shown["Attributes"] |= {name: value for name, kept in KEPT.items() if (value := getattr(topic, kept, None))}
        return answer

    response.get_topic_attributes = get_topic_attributes
