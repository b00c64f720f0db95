"""Where settings come from, which one wins, and what is said of a wrong one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from probe.config import OONI_HELPERS, Config, ConfigError, controls_from_urls, load
from probe.pacing import Rates


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "zond.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_anything_the_defaults_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    config = load(None, {}, {})
    assert config == Config()
    assert config.controls == () and config.all_controls == ()
    assert len(config.portal_checks) == 3 and config.limits.concurrency == 30


def test_the_default_rates_are_those_of_the_pacer() -> None:
    limits = Config().limits
    assert {f: getattr(limits, f) for f in Rates.__struct_fields__} == {
        f: getattr(Rates(), f) for f in Rates.__struct_fields__
    }


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "db = 'a'\nproxy = 'file'\n[limits]\nconcurrency = 1\nper_address = 2.0")
    environment = {"ZOND_PROXY": "socks5h://127.0.0.1:9050", "ZOND_LIMITS__CONCURRENCY": "2"}
    assert load(path, {}, {}).limits.concurrency == 1
    config = load(path, environment, {})
    assert (config.db, config.proxy) == ("a", "socks5h://127.0.0.1:9050")
    assert (config.limits.concurrency, config.limits.per_address) == (2, 2.0)
    config = load(path, environment, {"limits": {"concurrency": 3}, "db": "b"})
    assert (config.limits.concurrency, config.limits.per_address, config.db) == (3, 2.0, "b")


@pytest.mark.parametrize("name", ["www.belta.by", "www.debian.org", "control.example"])
def test_no_canary_and_no_control_is_a_neutral_site(tmp_path: Path, name: str) -> None:
    settings = f"[ladder]\nneutral = ['www.iana.org', '{name}']\n"
    control = "[[controls]]\nname = 'c'\nurl = 'https://control.example/'\n"
    with pytest.raises(ConfigError, match=re.escape(f"ladder.neutral: {name} is a canary")):
        load(write(tmp_path, control + settings), {}, {})
    fine = load(write(tmp_path, control + "[ladder]\nneutral = ['www.iana.org']\n"), {}, {})
    assert fine.ladder.neutral == ("www.iana.org",)


def test_a_variable_says_where_the_file_is(tmp_path: Path) -> None:
    path = write(tmp_path, "db = 'here'")
    assert load(None, {"ZOND_CONFIG": str(path)}, {}).db == "here"


def test_lists_in_variables_are_toml() -> None:
    environment = {"ZOND_CANARIES__FOREIGN": '["a.example"]', "ZOND_CONFIG": "/dev/null"}
    canaries = load(None, environment, {}).canaries
    assert canaries.foreign == ("a.example",)
    assert canaries.domestic == Config().canaries.domestic


def test_oonis_helpers_are_asked_only_by_choice(tmp_path: Path) -> None:
    path = write(tmp_path, "[[controls]]\nname = 'ours'\nurl = 'https://c.example/'")
    assert [c.name for c in load(path, {}, {}).all_controls] == ["ours"]
    chosen = load(path, {}, {"ooni_helpers": True}).all_controls
    assert [c.url for c in chosen] == ["https://c.example/", *OONI_HELPERS]
    assert len({c.name for c in chosen}) == len(chosen)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cotrols = []", "unknown key 'cotrols'"),
        ("[limits]\nspeed = 3", "unknown key 'limits.speed'"),
        ("[[controls]]\nname = 'a'\nurl = 'https://a/'\nkey = 1", r"unknown key 'controls.*key'"),
        ("[limits]\nconcurrency = 'many'", "limits.concurrency: expected `int`"),
        ("[limits]\nconcurrency = 0", "limits.concurrency"),
        ("[limits]\nper_address = 0", "limits.per_address"),
        ("[[controls]]\nname = 'a'\nurl = 'ftp://a/'", r"controls\[0\].url: not a URL"),
        ("proxy = [", "not TOML"),
        (b"proxy = '\xff'", "not TOML"),
        ("db = 'a'\ndb = 'b'", "not TOML"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load(path, {}, {})
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    assert re.search(said, message)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"ZOND_PROXI": "x"}, "unknown key 'proxi'"),
        ({"ZOND_LIMITS__CONCURRENCY": "many"}, "limits.concurrency"),
        ({"ZOND_LIMITS": "1", "ZOND_LIMITS__CONCURRENCY": "2"}, "contradicts"),
    ],
)
def test_a_wrong_variable_is_one_clear_line(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(None, {"ZOND_CONFIG": "/dev/null", **environment}, {})


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    for path, environment in [
        (tmp_path / "none.toml", {}),
        (None, {"ZOND_CONFIG": str(tmp_path / "none.toml")}),
    ]:
        with pytest.raises(ConfigError, match="no configuration file at"):
            load(path, environment, {})
    with pytest.raises(ConfigError, match="directory"):
        load(tmp_path, {}, {})


def test_controls_by_address_get_names_in_order() -> None:
    flags: dict[str, Any] = {"controls": controls_from_urls(("https://a/", "http://b:8080/"))}
    config = load(Path("/dev/null"), {}, flags)
    assert [(c.name, c.url) for c in config.controls] == [
        ("control-1", "https://a/"),
        ("control-2", "http://b:8080/"),
    ]


def test_the_database_is_where_it_was_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Config().database == tmp_path / "data" / "zond" / "zond.db"
    assert Config(db="~/x.db").database == tmp_path / "x.db"
