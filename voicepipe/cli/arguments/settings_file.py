"""Changes to the settings file, which keep its comments and other lines."""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from pathlib import Path

from voicepipe.audio.files.private_files import make_private_folders
from voicepipe.settings.sources import SettingsError
from voicepipe.settings.text import text_of
from voicepipe.text import printable

__all__ = ["change"]

_COMMENT = re.compile(r"""^(?P<value>(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^#"'])*?)(?P<comment>\s*(?:#.*)?)$""")


def change(path: Path, name: str, value: object) -> bool:
    """Set one name in the file, or delete it where the value is None; return True where the file changed.

    The file is replaced as a whole, so that a program that reads it finds the old one or the new one.

    Raises:
        SettingsError: the file is not one that can be changed; nothing was.
    """
    path = path.resolve()
    text = _read(path)
    before = _parse(path, text)
    wanted = {key: each for key, each in before.items() if _same(key) != name}
    if value is not None:
        wanted[name] = value
    after = _with(text, name, None if value is None else _toml(value))
    found = {name if _same(key) == name else key: each for key, each in _parse(path, after).items()}
    if found != wanted:
        raise SettingsError(
            f"{printable(path)}: {name} stands there in an unusual form; change it in an editor"
        )
    if after == text:
        return False
    _write(path, after)
    return True


def _same(key: str) -> str:
    return key.replace("-", "_")


def _read(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise SettingsError(f"{printable(path)} is not a file; VOICEPIPE_CONFIG can name another")
        return text_of(path.read_bytes()) if path.exists() else ""
    except (OSError, ValueError) as error:
        raise SettingsError(f"{printable(path)} cannot be read: {printable(error)}") from None


def _parse(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{printable(path)} cannot be read: {printable(error)}") from None


def _with(text: str, name: str, value: str | None) -> str:
    """Return the text with another value of the name, or without it; a comment behind the value stays."""
    line = re.compile(rf"""^\s*["']?{name.replace("_", "[-_]")}["']?\s*=\s*""")
    lines = text.splitlines(keepends=True)
    for number, each in enumerate(lines):
        if begin := line.match(each):
            rest = _COMMENT.match(each[begin.end() :].rstrip("\r\n"))
            comment = rest["comment"] if rest else ""
            lines[number] = "" if value is None else f"{begin[0]}{value}{comment}{_end_of_line(each)}"
            return "".join(lines)
    if value is None:
        return text
    end = _end_of_line(text)
    if lines and not lines[-1].endswith("\n"):
        lines.append(end)
    return "".join([*lines, f"{name} = {value}{end}"])


def _end_of_line(text: str) -> str:
    """Return the end of its lines, as its editor writes them."""
    return "\r\n" if "\r\n" in text else "\n"


def _toml(value: object) -> str:
    """Return a value as TOML writes it: JSON does the same for all that a setting can be."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    try:
        make_private_folders(str(path.parent))
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}-", encoding="utf-8", newline="", delete=False
        ) as file:
            file.write(text)
        os.chmod(file.name, mode)
        os.replace(file.name, path)
    except OSError as error:
        raise SettingsError(f"{printable(path)} cannot be written: {error.strerror or error}") from None
