"""`callcore roster`: on the terminal, as JSON, as a workbook; and why there is none."""

import json

import openpyxl
import pytest

from tests.service.test_cli import callcore as callcore

PLAN = """
[rules]
night_cover = 1
[[shifts]]
name = "夜"
start = "00:00"
night = true
[[shifts]]
name = "早"
start = "08:00"
[[shifts]]
name = "晚"
start = "16:00"
[required]
working = [1,1,1,1,1,1,1,1,2,2,2,2,2,2,2,2,1,1,1,1,1,1,1,1]
free = [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]
"""
CREW = "".join(
    f'[[people]]\nname = "{name}"\n' for name in ("张三", "李四", "王五", "赵六", "钱七")
)


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN + CREW, encoding="utf-8")
    return path


def test_a_month_on_the_terminal_and_as_a_workbook(callcore, plan, tmp_path):
    book = tmp_path / "roster.xlsx"
    done = callcore(
        "roster", "--month", "2026-11", "--plan", str(plan), "--excel", str(book), "--seconds", "6",
        "--workers", "1",
    )  # fmt: skip
    assert done.code == 0, done.err
    for said in ("排班表 roster 2026-11", "张三", "no roster can be better by more than"):
        assert said in done.out
    sheets = openpyxl.load_workbook(book)
    assert sheets.sheetnames == [
        "排班表 Roster", "工时 Hours", "休息 Breaks", "覆盖 Cover", "规则 Rules",
    ]  # fmt: skip
    roster = sheets["排班表 Roster"]
    names = [roster.cell(row, 1).value for row in range(2, 7)]
    assert names == ["张三", "李四", "王五", "赵六", "钱七"]
    for day in range(30):
        crew = [roster.cell(row, day + 2).value for row in range(2, 7)]
        assert crew.count("夜") >= 1
        assert set(crew) <= {"夜", "早", "晚", "休"}
    breaks = sheets["休息 Breaks"]
    for row in range(2, 7):
        for column in range(2, 32):
            works = roster.cell(row, column).value != "休"
            assert (breaks.cell(row, column).value is not None) == works
    hours = sheets["工时 Hours"]
    for row in range(2, 7):
        shifts = [roster.cell(row, day + 2).value for day in range(30)]
        assert hours.cell(row, 2).value == 8 * sum(one != "休" for one in shifts)
        assert hours.cell(row, 5).value == shifts.count("夜")


def test_the_month_as_json(callcore, plan):
    done = callcore("roster", "--month", "2026-11", "--plan", str(plan), "--seconds", "4", "--json")
    found = json.loads(done.out)
    assert len(found["days"]) == 30
    assert [len(one["shifts"]) for one in found["people"]] == [30] * 5
    assert all(min(crew) >= 1 for crew in found["supply"])
    short = sum(
        max(0, need - there)
        for needs, crew in zip(found["required"], found["supply"], strict=True)
        for need, there in zip(needs, crew, strict=True)
    )
    assert found["missing_agent_hours"] == short
    assert found["status"] in ("optimal", "feasible")
    assert 0 <= found["gap"] <= 1


def test_rules_that_cannot_hold_are_one_line_and_exit_1(callcore, plan):
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text.replace("night_cover = 1", "night_cover = 6"), encoding="utf-8")
    done = callcore("roster", "--month", "2026-11", "--plan", str(plan), "--seconds", "20")
    assert (done.code, done.out) == (1, "")
    assert done.lines == [
        "callcore: no roster is possible: this cannot hold: rules.night_cover = 6"
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--month", "2026-13"], "2026-13"),
        (["--month", "2026-11"], "--history"),
        (["--month", "2026-11", "--excel", "roster.xls"], ".xlsx"),
        (["--month", "2026-11", "--seconds", "0"], "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(callcore, arguments, says):
    done = callcore("roster", *arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_mistake_in_the_plan_names_the_file_and_the_key(callcore, plan):
    plan.write_text("[rules]\nnight_covers = 1\n", encoding="utf-8")
    done = callcore("roster", "--month", "2026-11", "--plan", str(plan))
    assert done.code == 2
    assert str(plan) in done.err
    assert "night_covers" in done.err
