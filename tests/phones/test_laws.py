"""Random laws keep their mean, and SIPp gets the same ones."""

import random
import statistics

import pytest

from phones.laws import Law, parse_law
from phones.sipp import pause_xml


@pytest.mark.parametrize("law", [Law(20, 0.6), Law(20, kind="exponential"), Law(20)])
def test_the_mean_is_the_one_asked_for(law: Law) -> None:
    source = random.Random(7)
    assert statistics.fmean(law.draw(source) for _ in range(20000)) == pytest.approx(20, rel=0.03)


def test_a_lognormal_keeps_its_coefficient_of_variation() -> None:
    source = random.Random(7)
    drawn = [Law(20, 0.6).draw(source) for _ in range(20000)]
    assert statistics.stdev(drawn) / statistics.fmean(drawn) == pytest.approx(0.6, rel=0.05)


@pytest.mark.parametrize(
    ("text", "law"),
    [("2", Law(2)), ("2,0.5", Law(2, 0.5)), ("2,exp", Law(2, kind="exponential"))],
)
def test_laws_are_read_from_the_command_line(text: str, law: Law) -> None:
    assert parse_law(text) == law


def test_sipp_is_told_milliseconds_and_the_logarithms_moments() -> None:
    assert pause_xml(Law(0.25)) == '<pause milliseconds="250"/>'
    assert 'distribution="lognormal" mean="5.4099" stdev="0.4724"' in pause_xml(Law(0.25, 0.5))
