"""The published JSON Schema is that of the models."""

import json

import pytest

from reports.models import OperationReport
from reports.schema import FILE, schema
from tests.reports.samples import deployment

pytestmark = pytest.mark.rows("R4")


def test_the_published_schema_is_the_models() -> None:
    assert FILE.read_text() == schema(), "run `make schema`"


def test_a_reader_by_the_schema_bears_what_is_added_later() -> None:
    described = json.loads(schema())
    assert '"additionalProperties": false' not in schema()
    assert set(described["properties"]) == set(json.loads(deployment().model_dump_json()))
    assert set(described["required"]) < set(OperationReport.model_fields)
