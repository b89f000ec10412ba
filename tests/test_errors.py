"""The tree of errors is what the module says it is; foreign text is safe to print."""

from __future__ import annotations

import inspect
import unicodedata

import pytest

from voicepipe import errors
from voicepipe.errors import (
    AudioFormatError,
    DeviceError,
    LifecycleError,
    PipelineError,
    PipelineStartError,
    VoicepipeError,
)
from voicepipe.text import printable


def tree_of(docstring: str) -> dict[str, str]:
    """Every class that the printed tree names, with the class above it; the root has none."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in docstring.splitlines():
        name = line.lstrip(" |+-").split(" ")[0]
        if not name.endswith("Error") or not (line.startswith((" ", name))):
            continue
        column = line.index(name)
        above = [(start, parent) for start, parent in above if start < column]
        parents[name] = above[-1][1] if above else ""
        above.append((column, name))
    return parents


TREE = tree_of(errors.__doc__ or "")


def classes_of_module() -> dict[str, type[VoicepipeError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, VoicepipeError)
    }


def test_the_tree_has_every_class_of_the_module_and_no_other() -> None:
    assert sorted(TREE) == sorted(classes_of_module())
    assert len(TREE) == 15


@pytest.mark.parametrize(("name", "parent"), list(TREE.items()))
def test_a_class_stands_where_the_tree_shows_it(name: str, parent: str) -> None:
    ours = [
        base.__name__ for base in classes_of_module()[name].__mro__[1:] if base.__module__ == errors.__name__
    ]
    assert ours[:1] == ([parent] if parent else [])


def test_the_reader_of_the_tree_sees_depth() -> None:
    docstring = (
        "Words.\n\nAnError\n +-- BError   words\n |    +-- CError  more\n +-- DError\n\nAn `OSError`.\n"
    )
    assert tree_of(docstring) == {"AnError": "", "BError": "AnError", "CError": "BError", "DError": "AnError"}


def test_every_error_is_exported_and_has_words() -> None:
    for name, kind in classes_of_module().items():
        assert name in errors.__all__
        assert kind.__doc__
        assert kind.__doc__ != VoicepipeError.__doc__ or kind is VoicepipeError


def test_a_callers_mistake_is_of_pythons_own_kind_too() -> None:
    assert issubclass(AudioFormatError, ValueError)
    assert issubclass(LifecycleError, RuntimeError)
    assert not issubclass(DeviceError, (ValueError, RuntimeError, OSError))


def test_a_pipeline_error_names_the_stage() -> None:
    error = PipelineStartError("ear did not start", stage="ear")
    assert (str(error), error.stage, error.report) == ("ear did not start", "ear", None)
    assert PipelineError("a run failed").stage == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Scarlett 2i2 USB", "Scarlett 2i2 USB"),
        ("Müller's Kopfhörer 🎧 麦克风", "Müller's Kopfhörer 🎧 麦克风"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("two\nlines\r\tand\x00more\x7f", r"two\nlines\r\tand\x00more\x7f"),
        ("\x9b31m", r"\x9b31m"),
        ("evil\u202egnp.exe\u2066\u200f", r"evil\u202egnp.exe\u2066\u200f"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028and\u2029paragraph", r"line\u2028and\u2029paragraph"),
        ("half \ud83d", r"half \ud83d"),
        ("tag \U000e0041", r"tag \U000e0041"),
        ("", ""),
        (OSError("no such\ndevice"), r"no such\ndevice"),
        (None, "None"),
    ],
)
def test_foreign_text_is_shown_with_what_a_terminal_would_obey_escaped(text: object, shown: str) -> None:
    assert printable(text) == shown


def test_nothing_unprintable_comes_out_whatever_goes_in() -> None:
    for start in (*range(0, 0x20000, 64), *range(0xE0000, 0xE0200, 64), 0xF0000, 0x10FFC0):
        for c in printable("".join(map(chr, range(start, start + 64)))):
            assert unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp"), hex(start)


def test_text_of_200_characters_is_whole_and_longer_text_is_cut_to_200() -> None:
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 199 + "…"
    assert len(printable("x" * 10**6)) == 200


def test_text_that_grows_by_its_escapes_is_cut_to_200_too() -> None:
    shown = printable("\x1b" * 60)
    assert len(shown) == 200
    assert shown.startswith(r"\x1b\x1b")
    assert shown.endswith("…")
    assert printable("\x1b" * 50) == r"\x1b" * 50
