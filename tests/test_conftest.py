"""What every test relies on."""

from hypothesis import HealthCheck, settings


def test_no_property_is_held_against_the_clock() -> None:
    assert settings.default is not None
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
