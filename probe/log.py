"""One JSON line for each thing that is not well; the platform keeps them."""

import json


def log(what: str, **fields: str) -> None:
    """Never with a key in it."""
    print(json.dumps({"said": what, **fields}), flush=True)
