"""The parser of Prometheus's text: what is in the format is read, what isn't is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.prometheus import FormatError, Sample, samples

pytestmark = pytest.mark.rows("M5", "M7")


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("a 1", {}, 1),
        ("a{} 1.5", {}, 1.5),
        ("a\t-1e-3", {}, -0.001),
        ("a +Inf", {}, math.inf),
        ("a -Inf 1395066363000", {}, -math.inf),
        ('a{x="1",y="2",} 3', {"x": "1", "y": "2"}, 3),
        ('a{x="}, \\" \\\\ \\n {"} .5\r', {"x": '}, \\" \\\\ \\n {'}, 0.5),
        ('  a{x=""} 1.  ', {"x": ""}, 1),
    ],
)
def test_a_sample_is_read(line: str, labels: dict[str, str], value: float) -> None:
    assert samples(f"# TYPE a gauge\n\n{line}\nb 2\n", {"a"}) == [Sample(name="a", labels=labels, value=value)]


def test_no_number_is_a_value_as_well() -> None:
    (one,) = samples("a NaN", {"a"})
    assert math.isnan(one.value)


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>502 Bad Gateway</body></html>",
        "upstream connect error or disconnect",
        '{"message": "no"}',
        "a",
        "a ",
        "a one",
        "a 1_000",
        "a 0x1",
        "a nan",
        "a{ 1",
        "a} 1",
        'a{x="1} 1',
        "a{x=1} 1",
        'a{x="1"}1',
        "a 1 2 3",
        "a 1 1.5",
        "1a 1",
        "a 1\nb\n",
    ],
)
def test_what_is_not_in_the_format_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match=r"line \d is no sample"):
        samples(text, {"a"})


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        samples(text, {"a"})
    except FormatError:
        pass
    else:
        assert "<" not in text.split("#", maxsplit=1)[0]


def test_a_long_line_takes_no_long_time() -> None:
    """No backtracking: this would outlive the test otherwise."""
    for line in ('a{x="' + "\\" * 100_000, "a{" + 'x="",' * 50_000, "a" * 200_000, "a " + "1" * 200_000 + "x"):
        with pytest.raises(FormatError):
            samples(line, {"a"})
