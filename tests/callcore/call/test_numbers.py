"""Numbers: rules in order, and the shipped profiles' ways there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.call.numbers import Rule, make_rules, number_of, rewrite
from callcore.errors import LocalProtocolError
from callcore.message import parse_uri
from config.loader import loads
from service.wiring import profile_settings


def profile_of(name, more=""):
    text = f'[[trunks]]\nname = "t"\nprofile = "{name}"\npeers = ["192.0.2.1"]\nuser = "u"\n'
    text += 'password = "p"\nregistrar = "ims.example"\n' + more
    return profile_settings(loads(text).trunks[0])


PROFILES = {name: profile_of(name, 'area = "551"\n') for name in ("ims", "ibcf", "plain")}

digits = st.text("0123456789", min_size=7, max_size=8)
mobiles = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
areas = st.sampled_from(["10", "20", "21", "25", "551", "552", "571", "755", "951"])
landlines = st.builds(lambda area, rest: f"0{area}{rest}", areas, digits)
short_codes = st.sampled_from(["110", "119", "120", "122", "12345", "12315", "10086", "95588"])
foreign = st.builds(
    lambda country, rest: f"00{country}{rest}", st.sampled_from(["1", "44", "852", "49"]), digits
)
numbers = st.one_of(mobiles, landlines, short_codes, foreign, st.just("4001234567"))


@pytest.mark.parametrize("name", PROFILES)
@given(number=numbers)
def test_what_is_dialled_comes_back_as_it_was(name, number):
    profile = PROFILES[name]
    assert rewrite(rewrite(number, profile.numbers_out), profile.numbers_in) == number


@pytest.mark.parametrize("name", PROFILES)
@given(number=st.from_regex(r"\+?[0-9]{1,18}", fullmatch=True))
def test_what_came_in_is_read_as_itself_for_ever(name, number):
    """A number read, sent out and read again is the number that was read."""
    profile = PROFILES[name]
    once = rewrite(number, profile.numbers_in)
    again = rewrite(rewrite(once, profile.numbers_out), profile.numbers_in)
    assert rewrite(rewrite(again, profile.numbers_out), profile.numbers_in) == again


@given(text=st.text(max_size=60))
def test_nothing_that_a_caller_can_write_raises(text):
    for profile in PROFILES.values():
        assert isinstance(rewrite(text, profile.numbers_in), str)


@pytest.mark.parametrize(
    ("dialled", "sent"),
    [
        ("13800000001", "+8613800000001"),
        ("055165551234", "+8655165551234"),
        ("65551234", "+8655165551234"),
        ("01065551234", "+861065551234"),
        ("0085212345678", "+85212345678"),
        ("12345", "12345"),
        ("110", "110"),
        ("8001", "8001"),
        ("alice", "alice"),
    ],
)
def test_ims_is_called_in_e164(dialled, sent):
    assert rewrite(dialled, PROFILES["ims"].numbers_out) == sent


@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("tel:+86-138-0000-0001", "13800000001"),
        ("tel:+8655112345", "12345"),
        ("tel:12345;phone-context=+86551", "12345"),
        ("tel:110;phone-context=+86", "110"),
        ("tel:12345;phone-context=ims.example", "12345"),
        ("sip:+8655112345@ims.example;user=phone", "12345"),
        ("sip:12345;phone-context=+86551@ims.example;user=phone", "12345"),
        ("sip:055112345@ims.example", "12345"),
        ("sip:+861065551234@ims.example", "01065551234"),
        ("sip:+85212345678@ims.example", "0085212345678"),
        ("sip:alice@ims.example", "alice"),
    ],
)
def test_an_ims_number_is_read_as_people_dial_it(uri, read):
    assert rewrite(number_of(parse_uri(uri)), PROFILES["ims"].numbers_in) == read


def test_the_first_rule_that_fits_wins():
    rules = make_rules([("+86", None, "0"), (None, r"\+(\d+)", r"00\1"), ("", None, "9")])
    assert rewrite("+8655112345", rules) == "055112345"
    assert rewrite("+44123", rules) == "0044123"
    assert rewrite("110", rules) == "9110"


def test_a_rule_about_an_area_that_is_not_given_is_left_out():
    rows = [(None, r"%area%(\d+)", r"\1"), (None, r"(\d)%country%", r"\1%country%")]
    assert make_rules(rows, country="86") == make_rules(rows[1:], country="86")
    (rule,) = make_rules(rows[1:], country="86")
    assert isinstance(rule, Rule)
    assert rewrite("186", (rule,)) == "186"  # a digit behind a group makes no other group of it


def test_a_pattern_that_is_none_is_our_mistake():
    with pytest.raises(LocalProtocolError, match="no rule for numbers"):
        make_rules([(None, "(", "")])


def test_a_number_that_is_too_long_is_tried_by_no_pattern():
    assert rewrite("1" * 41, make_rules([("1", None, "2")])) == "1" * 41
