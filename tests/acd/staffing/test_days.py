"""Days of the Chinese calendar: the library's years, the table, and years that nobody knows."""

from datetime import date

import pytest

from acd.staffing.days import Days, is_known, month_of, table_from


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2026, 2, 17), "holiday"),  # the Spring Festival of 2026
        (date(2026, 2, 14), "make_up"),  # a Saturday worked for it
        (date(2026, 11, 3), "workday"),
        (date(2026, 11, 7), "weekend"),
    ],
)
def test_the_notice_of_the_year_is_followed(day, kind):
    assert Days().kind(day) == kind


def test_a_year_without_a_notice_falls_back_to_the_week_and_says_so():
    far = [date(2050, 1, 1), date(2050, 1, 3), date(2050, 1, 8), date(2050, 10, 2)]
    assert not is_known(2050)
    days = Days()
    assert [days.kind(day) for day in far] == ["holiday", "workday", "weekend", "holiday"]
    assert days.unknown_years([date(2026, 12, 31), *far]) == [2050]


def test_the_table_comes_first_and_makes_its_year_known():
    days = Days(table_from(["date,kind", "# guessed", "2050-01-24,holiday", "2050-01-22, make_up"]))
    assert days.kind(date(2050, 1, 24)) == "holiday"
    assert days.is_working(date(2050, 1, 22))
    assert days.unknown_years([date(2050, 1, 1)]) == []


@pytest.mark.parametrize("line", ["2050-13-01,holiday", "2050-01-01", "2050-01-01,feast"])
def test_a_line_of_the_table_that_means_nothing_is_named(line):
    with pytest.raises(ValueError, match="line 2"):
        table_from(["2050-01-02,workday", line])


def test_a_month_has_its_days():
    assert len(month_of("2028-02")) == 29
    with pytest.raises(ValueError, match="2026-12"):
        month_of("2028-2")
