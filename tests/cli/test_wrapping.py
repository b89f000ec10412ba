"""Every line of a program is broken at words, at the width of the terminal."""

from __future__ import annotations

import io

import pytest

from cli.test_screen import Terminal
from voicepipe.cli import COMMANDS, main
from voicepipe.cli.terminal.screen import Screen
from voicepipe.cli.terminal.wrapping import cells, columns_of, cut, wrap


def test_a_line_is_broken_at_words_and_what_goes_on_is_indented() -> None:
    assert wrap("one two three", 8, 2) == "one two\n  three"
    assert wrap("one two three", None) == "one two three"
    assert wrap("a  table   of words", 12, 4) == "a  table\n    of words", "what stands between words stays"
    assert wrap("", 10) == ""
    assert wrap("one\ntwo three", 5) == "one\ntwo\n  three"


def test_a_path_stays_whole() -> None:
    assert wrap("see /a/very/long/path now", 10, 2) == "see\n  /a/very/long/path\n  now"


def test_an_indent_that_leaves_no_room_is_small() -> None:
    assert wrap("check         a b c d", 16, 14) == "check         a\n  b c d"


def test_paint_takes_no_room_and_a_wide_character_two_cells() -> None:
    assert cells("\x1b[31mred\x1b[m") == 3
    assert cells("日本") == 4
    assert cut("日本語", 5) == ("日本", 4)
    assert wrap("\x1b[31mred\x1b[m blue", 8, 2) == "\x1b[31mred\x1b[m blue"


def test_a_screen_wraps_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "12")
    terminal, pipe = Terminal(), io.StringIO()
    for out in (terminal, pipe):
        Screen(out).say("one two three four")
    assert terminal.lines == ["one two", "  three four", ""]
    assert pipe.getvalue() == "one two three four\n"
    closed = io.StringIO()
    closed.close()
    assert columns_of(closed) is columns_of(None) is None


@pytest.mark.parametrize("columns", [50, 80, 120])
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_help_is_longer_than_the_terminal(
    command: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns
