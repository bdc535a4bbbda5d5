"""What the subscribers of SNS topics would get: one JSON line a message, kept as long as AWS keeps its topics."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from moto.sns.models import Topic

INBOX = "inbox.jsonl"


class Message(BaseModel):
    time: datetime
    topic: str
    subject: str
    message: str


def keep(topic: "type[Topic]", file: Path) -> None:
    """Write down whatever is published to a topic; moto keeps it for itself, and without its time."""
    publish = topic.publish

    def publish_and_keep(self: "Topic", message: str, subject: str | None = None, *rest: Any, **named: Any) -> str:
        message_id = publish(self, message, subject, *rest, **named)
        entry = Message(time=datetime.now(UTC), topic=self.name, subject=subject or "", message=message)
        with file.open("a") as inbox:
            inbox.write(f"{entry.model_dump_json()}\n")
        return message_id

    topic.publish = publish_and_keep


def read(file: Path) -> list[Message]:
    """The oldest first."""
    if not file.exists():
        return []
    with file.open() as lines:
        return [Message.model_validate_json(line) for line in lines]
