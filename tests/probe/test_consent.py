"""What was agreed to: told in three languages, by level of risk, and changed by one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe import places, settings_file
from probe.cli import zond
from probe.config import Config, load
from probe.consent import agreement, networks, words
from probe.consent.networks import Here, Networks
from probe.i18n import LANGUAGES
from tests.probe.terminal import Terminal

ROOT = Path(__file__).parents[2]
FIRST_START = {
    "en": "What has happened to people", "be": "Што ўжо здаралася з людзьмі",
    "ru": "Что уже случалось с людьми",
}  # fmt: skip
HOME = Here((frozenset({b"\xb8\x27\xeb\0\0\x01"}),), "")
CAFE = Here((frozenset({b"\xb8\x27\xeb\0\0\x02"}),), "")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in list(os.environ):
        if name.startswith(("ZOND_", "LC_")) or name in ("LANG", "LANGUAGE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return places.data_directory()


def say(*arguments: str, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(zond, list(arguments), catch_exceptions=False)


def agreed(*arguments: str) -> Result:
    result = say("consent", "--yes", *arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_first_start_speaks_the_users_language(language: str) -> None:
    by_option = say("run", "--lang", language, "--url", "https://a.example/")
    by_zond = say("run", "--url", "https://a.example/", ZOND_LANG=language, LANG="en_US.UTF-8")
    by_system = say("run", "--url", "https://a.example/", LANG=f"{language}_BY.UTF-8")
    for result in (by_option, by_zond, by_system):
        assert FIRST_START[language] in result.stderr
        assert result.exit_code == 4


def test_a_language_that_we_do_not_have_is_english() -> None:
    assert FIRST_START["en"] in say("run", "--url", "https://a.example/", LANG="de_DE").stderr
    assert FIRST_START["en"] in say("run", "--url", "https://a.example/", LC_ALL="C").stderr
    assert say("run", "--lang", "de").exit_code == 2


def test_every_message_is_translated_and_what_is_shipped_is_what_was_translated() -> None:
    script = [sys.executable, str(ROOT / "scripts/translations"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr.strip())


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_told_holds_what_must_be_known(language: str) -> None:
    told = say("run", "--lang", language, "--url", "https://a.example/").stderr
    sorm = {"en": "SORM", "be": "САРМ", "ru": "СОРМ"}[language]
    for fact in (sorm, "Wi-Fi", "24", "207", "18", "zond wipe", "--no-follow-up"):
        assert fact in told


def test_unattended_set_up_takes_every_choice_as_an_option(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "here", lambda: HOME)
    shown = agreed("--tiers", "low,medium", "--upload", "no", "--networks", "here", "--way", "tor")
    assert "to measure: low risk, medium risk" in shown.stdout
    assert agreement.tiers(folder) == ("low", "medium")
    assert not agreement.upload_recorded(folder)
    assert Networks(folder).permits(HOME) and not Networks(folder).permits(CAFE)
    config = load(None, {}, {})
    assert (config.proxy, config.upload.ways) == ("socks5h://127.0.0.1:9050", ("tor",))


def test_nothing_is_agreed_to_that_was_not_named(folder: Path) -> None:
    nothing = say("consent", "--yes")
    assert nothing.exit_code == 2 and "--tiers" in nothing.stderr
    agreed("--upload", "yes")
    assert not agreement.recorded(folder)
    agreed("--upload", "no", "--tiers", "low")
    assert agreement.tiers(folder) == ("low",) and not agreement.upload_recorded(folder)
    assert not Networks(folder).anywhere and not Networks(folder).approved


def test_without_yes_and_without_anybody_nothing_riskier_is_agreed_to(folder: Path) -> None:
    for options in (("--tiers", "low"), ("--upload", "yes")):
        result = say("consent", *options)
        assert result.exit_code == 4 and "--yes" in result.stderr
    assert not agreement.recorded(folder) and not agreement.upload_recorded(folder)


def test_what_is_safer_needs_no_yes(folder: Path) -> None:
    agreed("--tiers", "low,medium,high", "--upload", "yes")
    assert say("consent", "--tiers", "low", "--upload", "no").exit_code == 0
    assert agreement.tiers(folder) == ("low",) and not agreement.upload_recorded(folder)
    assert say("consent", "--tiers", "none").exit_code == 0
    assert not agreement.recorded(folder)


def test_a_choice_that_is_refused_changes_nothing(folder: Path) -> None:
    for options, said in (
        (("--tiers", "low,dangerous", "--upload", "yes"), "dangerous"),
        (("--upload", "yes", "--way", "proxy"), "--proxy URL"),
        (("--upload", "yes", "--proxy", "socks5h://127.0.0.1:1"), "--way proxy"),
        (("--upload", "yes", "--way", "proxy", "--proxy", "127.0.0.1:99"), "no proxy"),
    ):
        result = say("consent", "--yes", *options)
        assert result.exit_code == 2 and said in result.stderr
    assert not folder.exists()


def test_everything_is_taken_back_by_one_word(folder: Path) -> None:
    agreed("--tiers", "low,medium", "--upload", "yes", "--networks", "any")
    assert say("consent", "withdraw").exit_code == 0
    assert not agreement.recorded(folder) and not agreement.upload_recorded(folder)
    assert not Networks(folder).anywhere
    assert say("run", "--url", "https://a.example/").exit_code == 4


def test_what_was_agreed_to_is_for_programs_too(folder: Path) -> None:
    agreed("--tiers", "low", "--networks", "any")
    told = json.loads(say("consent", "--json").stdout)
    assert (["low"], False) == (told["tiers"], told["upload"])
    assert {"anywhere": True, "approved": 0, "here": "permitted"} == told["networks"]


def test_a_changed_setting_leaves_the_rest_of_the_file_as_it_was(folder: Path) -> None:
    path = settings_file.in_force()
    path.parent.mkdir(parents=True)
    written = '# mine\nhello = "python"  # as before\n\n[upload]\n# theirs\nseconds = 60\n'
    path.write_text(written)
    agreed("--way", "proxy", "--proxy", "http://127.0.0.1:3128")
    changed = path.read_text()
    for line in written.splitlines():
        assert line in changed
    config = load(path, {}, {})
    assert (config.proxy, config.upload.ways) == ("http://127.0.0.1:3128", ("proxy",))
    agreed("--way", "direct")
    config = load(path, {}, {})
    assert (config.proxy, config.upload.ways) == (None, ("direct",))


def test_a_settings_file_that_is_broken_is_one_line_and_stays(folder: Path) -> None:
    path = settings_file.in_force()
    path.parent.mkdir(parents=True)
    path.write_text("proxy = [")
    result = say("consent", "--yes", "--tiers", "low", "--way", "tor")
    assert result.exit_code != 0 and "Traceback" not in result.stderr
    assert path.read_text() == "proxy = [" and not agreement.recorded(folder)


def test_only_the_user_can_read_what_was_agreed_to(folder: Path) -> None:
    agreed("--tiers", "low", "--upload", "yes", "--networks", "any", "--way", "tor")
    kept = [*folder.iterdir(), settings_file.in_force()]
    assert {0o600} == {path.stat().st_mode & 0o777 for path in kept}
    assert 0o700 == folder.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("language", "answers", "tiers", "share"),
    [
        ("en", ("y", "", "", "", "", ""), ("low", "medium"), False),
        ("be", ("так", "т", "не", "н", "1", "т"), ("low",), True),
        ("ru", ("да", "д", "д", "д", "2", "нет"), ("low", "medium", "high"), False),
    ],
)
def test_who_sits_before_it_is_asked_each_thing_by_itself(
    folder: Path, language: str, answers: Sequence[str], tiers: Sequence[str], share: bool
) -> None:
    with Terminal("consent", "ask", "--lang", language, ZOND_LANG=language) as terminal:
        terminal.until("[")
        terminal.type(*answers)
        assert terminal.end() == 0, terminal.said
    assert agreement.tiers(folder) == tuple(tiers)
    assert agreement.upload_recorded(folder) is share
    ways = load(None, {}, {}).upload.ways
    assert ways == (("tor",) if language == "ru" else ("direct",))


@pytest.mark.parametrize("options", [(), ("--config",)])
def test_the_way_that_was_chosen_is_that_of_this_run_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Sequence[str]
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("")
    monkeypatch.setattr("probe.consent.permission.somebody_is_here", lambda: True)
    monkeypatch.setattr(networks, "here", lambda: HOME)
    found: list[Config] = []

    def measure(config: Config, *given: object, **more: object) -> int:
        found.append(config)
        return 0

    monkeypatch.setattr("probe.commands.run._measure", measure)
    answers = ("y", "", "", "", "3", "no proxy", "socks5h://127.0.0.1:1080", "n", "2")
    command = ["run", "--lang", "en", "--url", "https://a.example/", *options]
    result = CliRunner().invoke(
        zond, [*command, str(path)] if options else command, input="\n".join(answers) + "\n",
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert ["socks5h://127.0.0.1:1080"] == [config.proxy for config in found]
    assert ("proxy" in path.read_text()) is bool(options)


def test_enter_is_no(folder: Path) -> None:
    with Terminal("run", "--url", "https://a.example/", ZOND_LANG="en") as terminal:
        terminal.until("measure from this machine?")
        terminal.type("")
        assert terminal.end() == 4
    assert "nothing was sent" in terminal.said
    assert not folder.exists()


def test_who_leaves_in_the_middle_has_agreed_to_nothing(folder: Path) -> None:
    with Terminal("run", "--url", "https://a.example/", ZOND_LANG="en") as terminal:
        terminal.until("measure from this machine?")
        terminal.type("perhaps", "y")
        terminal.until("Measure these? [Y/n]:")
        terminal.press("\x03")
        assert terminal.end() == 130
    assert not folder.exists() and not settings_file.in_force().exists()


IN_THE_CAFE = f"""
from probe.consent import networks
networks.here = lambda: networks.Here({CAFE.links!r}, "")
"""


def test_a_network_that_was_not_approved_is_asked_for(folder: Path) -> None:
    agreement.record(folder)
    with Terminal(
        "run", "--url", "https://a.example/", before=IN_THE_CAFE, ZOND_LANG="be"
    ) as terminal:
        terminal.until("Што рабіць?")
        terminal.type("")
        assert terminal.end() == 4
    assert "нічога не адпраўлена" in terminal.said


@pytest.fixture
def known() -> Callable[[Here], Networks]:
    def approve(here: Here) -> Networks:
        kept = Networks(places.data_directory())
        kept.approve(here)
        return kept

    return approve


def test_a_network_is_known_again_by_any_of_its_routers_on_every_link(
    folder: Path, known: Callable[[Here], Networks]
) -> None:
    kept = known(HOME)
    (home,), (cafe,) = HOME.links, CAFE.links
    assert kept.permits(Here((home | cafe,), ""))  # a second router there
    assert not kept.permits(Here((home, cafe), ""))  # a second link, to somewhere else
    assert not kept.permits(HOME._replace(doubt="router_shared"))
    assert not kept.permits(Here((), "no_route"))
    with pytest.raises(ValueError, match="router_shared"):
        kept.approve(HOME._replace(doubt="router_shared"))


def test_two_machines_keep_different_hashes_of_one_router(tmp_path: Path) -> None:
    kept = [Networks(tmp_path / name) for name in "ab"]
    for networks_of_one in kept:
        networks_of_one.approve(HOME)
        networks_of_one.approve(HOME)
    digests = [[approved.digest for approved in one.approved] for one in kept]
    assert [1, 1] == [len(found) for found in digests]
    assert digests[0] != digests[1]


def test_approvals_that_cannot_be_read_are_none(
    folder: Path, known: Callable[[Here], Networks]
) -> None:
    known(HOME)
    (folder / "consent_networks.json").write_text('{"anywhere": "yes"')
    assert not Networks(folder).permits(HOME)


def test_the_words_fit_into_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, words.measuring().splitlines())) <= 60
