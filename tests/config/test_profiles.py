"""Profiles of trunks: shipped ones, overridden ones, and what is wrong with others."""

from dataclasses import fields

import pytest

from callcore.call.profile import ORDINARY, Profile
from config.loader import PROFILES, ConfigError, loads, profile_path
from config.profile import Profile as Schema
from config.sip import Trunk
from service.wiring import profile_settings, trunk_settings

STATIC = '[[trunks]]\nname = "t"\npeers = ["192.0.2.1"]\n'
REGISTERING = '[[trunks]]\nname = "t"\nuser = "u"\npassword = "p"\nregistrar = "ims.example"\n'


def mistakes(text):
    with pytest.raises(ConfigError) as raised:
        loads(text, file="my.toml")
    return [str(mistake) for mistake in raised.value.mistakes]


@pytest.mark.parametrize("name", ["ims", "ibcf", "plain"])
def test_a_shipped_profile_says_every_key_in_the_order_of_the_schema(name):
    import tomllib

    data = tomllib.loads(profile_path(name).read_text(encoding="utf-8"))
    order = [key for key in Schema.model_fields if key in data]
    assert set(data) == set(Schema.model_fields)
    assert sorted(data) == sorted(order)
    Schema.model_validate(data)


def test_there_are_no_others():
    assert sorted(path.stem for path in PROFILES.glob("*")) == ["ibcf", "ims", "plain"]


def test_a_profile_gives_the_keys_that_a_trunk_leaves_out():
    trunk = loads(REGISTERING + 'profile = "ims"\nprack = "off"').trunks[0]
    assert (trunk.mode, trunk.number_form, trunk.prack) == ("register", "sip-phone", "off")
    settings = trunk_settings(trunk)
    assert settings.registration is not None
    assert settings.profile.preferred_identity == "trunk"
    assert loads(STATIC + 'profile = "ibcf"').trunks[0].mode == "static"


def test_without_a_profile_the_engine_s_defaults_are_the_schema_s():
    assert profile_settings(loads(STATIC).trunks[0]) == ORDINARY
    assert {f.name for f in fields(Profile)} <= set(Trunk.model_fields)


def test_a_profile_may_be_a_file_of_one_s_own(tmp_path):
    path = tmp_path / "city.toml"
    path.write_text('diversion = "both"\nnumbers_out = [{ prefix = "0", to = "9" }]')
    trunk = loads(f'{STATIC}profile = "{path}"').trunks[0]
    assert trunk.diversion == "both"
    assert trunk.numbers_out[0].to == "9"


def test_a_profile_that_there_is_not_names_those_that_there_are():
    (told,) = mistakes(STATIC + 'profile = "imss"')
    assert told.startswith('my.toml:4: trunks[0].profile = "imss": ibcf, ims, plain, or the path')


def test_a_mistake_in_a_profile_names_its_file_once(tmp_path):
    path = tmp_path / "city.toml"
    path.write_text('trusted = 1\nprak = "off"\nname = "x"\n')
    text = f'{STATIC}profile = "{path}"\n' + STATIC.replace('"t"', '"u"').replace(".1", ".2")
    told = mistakes(f'{text}profile = "{path}"')
    assert [line.split(" = ")[0] for line in told] == [
        f"{path}:1: trusted",
        f"{path}:2: prak",
        f"{path}:3: name",
    ]
    assert "did you mean prack?" in told[1]
    path.write_text("trusted")
    assert mistakes(f'{STATIC}profile = "{path}"')[0].startswith(f"{path}:1: TOML")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("numbers_in = [{ to = '1' }]", "either prefix or pattern"),
        ("numbers_in = [{ prefix = '1', pattern = '1', to = '1' }]", "either prefix or pattern"),
        ("numbers_in = [{ pattern = '(', to = '1' }]", "no regular expression"),
        (r"numbers_in = [{ pattern = '(1)', to = '\2' }]", "group 2, and pattern has 1"),
        (r"numbers_in = [{ pattern = '1', to = '\g<3>' }]", "group 3, and pattern has 0"),
        ('headers_out = ["Via"]', "each side of a call has its own"),
        ('headers_in = ["a b"]', "names of header fields"),
        ('codecs = ["G729"]', '"PCMA" or "PCMU" or "telephone-event"'),
        ("codecs = []", "codecs"),
        ('privacy = ["none"]', '"id" or "header"'),
        ('to_domain = "a b"', "a domain name"),
    ],
)
def test_what_a_profile_cannot_say(line, says):
    (told,) = mistakes(STATIC + line)
    assert says in told, told
    assert told.startswith("my.toml:4: trunks[0].")
