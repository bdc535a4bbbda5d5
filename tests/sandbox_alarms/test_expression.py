"""Metric math.

Rules and most examples from the CloudWatch User Guide, "Using math expressions with CloudWatch metrics"
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html).
"""

import pytest

from sandbox.alarms.expression import ExpressionError, Series, parse

pytestmark = pytest.mark.rows("K2")


def series(text: str) -> Series:
    return [None if value == "-" else float(value) for value in text.split()]


def evaluate(text: str, **known: str) -> Series:
    parsed = {name: series(values) for name, values in known.items()}
    periods = len(next(iter(parsed.values())))
    return parse(text).evaluate(parsed, metrics=tuple(parsed), period=60, periods=periods)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("m1 + m2", "40 20 8 -"),
        ("m1 - m2", "20 20 -8 -"),
        ("m2 - m1", "-20 -20 8 -"),
        ("m1 * m2", "300 0 0 -"),
        ("m1 / m2", "3 - 0 -"),
        ("5 * m1 ^ 2", "4500 2000 - -"),
        ("-m1", "-30 -20 - -"),
        ("100 / (m1 - 20)", "10 - - -"),
    ],
)
def test_a_missing_value_is_zero_beside_a_real_one_and_a_division_by_zero_is_dropped(text: str, expected: str) -> None:
    """See "Basic arithmetic functions"; where neither series has a value there is no data point."""
    assert evaluate(text, m1="30 20 - -", m2="10 - 8 -") == series(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metric1 < metric2", "0 0 1 0"),
        ("metric1 >= 30", "1 0 0 0"),
        ("metric1 > 15 AND metric2 > 15", "1 0 0 0"),
        ("metric1 > 15 && metric2 > 15", "1 0 0 0"),
        ("metric1 > 15 OR metric2 > 15", "1 1 1 0"),
        ("metric1 > 25 || metric2 > 15", "1 0 1 0"),
        ("metric1 == 0", "0 0 1 1"),
        ("metric1 != 0", "1 1 0 0"),
        ("metric2 <= 20", "1 - 1 -"),
    ],
)
def test_comparisons_and_logic_give_one_and_zero(text: str, expected: str) -> None:
    """See "Comparison and logical operators": the first three rows are its own table."""
    assert evaluate(text, metric1="30 20 0 0", metric2="20 - 20 -") == series(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
        ("IF(1, metric2, metric3)", "30 - 0 0 30"),
        ("IF(0, metric2, metric3)", "0 0 20 - 20"),
        ("IF(0, metric2)", "- - - - -"),
        ("IF(metric2 > 10, 1, 0)", "1 - 0 0 1"),
    ],
)
def test_if_takes_each_period_by_itself(text: str, expected: str) -> None:
    """See "Using IF expressions": the first three rows are its own tables."""
    assert evaluate(text, metric1="1 1 0 0 -", metric2="30 - 0 0 30", metric3="0 0 20 - 20") == series(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FILL(m1, 0)", "0 10 0 0 40 0"),
        ("FILL(m1, m2)", "1 10 3 4 40 6"),
        ("FILL(m1, REPEAT)", "- 10 10 10 40 40"),
        ("FILL(m1, LINEAR)", "- 10 20 30 40 -"),
        ("FILL(m1, MIN(m1))", "10 10 10 10 40 10"),
        ("FILL(nothing, 0)", "0 0 0 0 0 0"),
    ],
)
def test_fill_puts_values_where_none_are(text: str, expected: str) -> None:
    """See "Functions supported for metric math", FILL; that an empty series is filled too is our reading."""
    assert evaluate(text, m1="- 10 - - 40 -", m2="1 2 3 4 5 6", nothing="- - - - - -") == series(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SUM([m1, m2])", "3 2 -"),
        ("AVG([m1, m2])", "1.5 1 -"),
        ("MIN([m1, m2])", "1 2 -"),
        ("MAX([m1, m2])", "2 2 -"),
        ("m1 - SUM(m1)", "0 - -"),
        ("m2 / MAX(m2)", "1 1 -"),
        ("SUM(METRICS())", "3 2 -"),
        ('SUM(METRICS("m2"))', "2 2 -"),
        ("SUM([METRICS(), m1]) / 2", "2 1 -"),
        ("SUM(100 / [m1, m2])", "150 50 -"),
        ("ABS(0 - m1)", "1 - -"),
        ("m1 / PERIOD(m1) * 60", "1 - -"),
        ("TIME_SERIES(7)", "7 7 7"),
    ],
)
def test_functions_over_one_series_and_over_several(text: str, expected: str) -> None:
    """See "Functions supported for metric math": of one series a number comes out, of an array a series."""
    assert evaluate(text, m1="1 - -", m2="2 2 -") == series(expected)


def test_rate_and_diff_go_from_the_value_before() -> None:
    """See "Functions supported for metric math", RATE: the difference by the seconds between the two values."""
    assert evaluate("DIFF(m1)", m1="60 - 180 0") == series("- - 120 -180")
    assert evaluate("RATE(m1)", m1="60 - 180 0") == series("- - 1 -3")


def test_the_programs_own_rate_has_a_floor_on_traffic() -> None:
    text = "IF(whole >= 20, 100 * FILL(part, 0) / whole, 0)"
    assert evaluate(text, whole="100 20 19 100 -", part="6 20 19 - 7") == series("6 100 0 0 -")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ANOMALY_DETECTION_BAND(m1)", "ANOMALY_DETECTION_BAND is not simulated; known are ABS, AVG"),
        ("SEARCH(\"x\", 'Sum')", "SEARCH is not simulated"),
        ("sum(m1)", "sum is not simulated"),
        ("m1 and m2", "'and' is not known; operators are AND, OR"),
        ("m1 ** 2", r"'\*\*' is not known"),
        ("m1 % 2", "'m1 % 2' is not known"),
        ("m1 < 1 < m2", "is not known"),
        ("m1 +", "is no expression of metric math"),
        ("SELECT AVG(Latency) FROM x", "is no expression of metric math"),
        ("FILL(m1)", "FILL takes 2 to 2 arguments, not 1"),
        ("M1 + 1", "'M1' is not known"),
        ("__import__", "'__import__' is not known"),
        ("m1.real", "'m1.real' is not known"),
        ("(lambda: 1)()", "'lambda' is not known"),
        ("'m1'", "is not known"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(text: str, said: str) -> None:
    with pytest.raises(ExpressionError, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MAX(m1)", "gives a number: an alarm needs one time series"),
        ("METRICS()", "gives an array of time series: an alarm needs one"),
        ("[m1, m2] + [m1, m2]", "two arrays of time series can't be combined"),
        ("SUM(1)", "a number stands where a time series must"),
        ("[m1, 2]", "a number stands where a time series must"),
    ],
)
def test_a_wrong_type_is_refused(text: str, said: str) -> None:
    """See "Metric math syntax and functions": the result must be a time series; an alarm watches a single one."""
    with pytest.raises(ExpressionError, match=said):
        evaluate(text, m1="1", m2="2")
