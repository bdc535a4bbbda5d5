"""The JSON Schema of reports, for whoever reads them without `pf`. `make schema` writes it; a test compares."""

import json
from pathlib import Path

from reports.models import OperationReport

FILE = Path(__file__).resolve().parent.parent / "docs/schemas/operation-report.schema.json"


def schema() -> str:
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **OperationReport.model_json_schema()}
    return json.dumps(described, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema())
