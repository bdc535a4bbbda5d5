"""Times as people type them."""

import pytest

from operations.durations import seconds_of
from operations.errors import ExitCode, OperationError

pytestmark = pytest.mark.rows("D3")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("5m", 300), ("1m30s", 90), ("1m30", 90), (" 5m ", 300), ("120m", 7200)],
)
def test_a_time_is_read(text: str, seconds: float) -> None:
    assert seconds_of(text, "--wait") == seconds


@pytest.mark.parametrize("text", ["", " ", "soon", "m", "s", "-5", "1.5m", "1h", "5m m", "30s1m", "5 m", "9" * 5000])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(OperationError, match="is no time") as caught:
        seconds_of(text, "--wait")
    assert caught.value.code is ExitCode.USAGE
    assert "--wait 5m" in caught.value.cure
