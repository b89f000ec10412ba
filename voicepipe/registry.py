"""Makers by name: those that are built in, and those that other packages add by entry points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from voicepipe.awaitables import refuse_coroutine
from voicepipe.errors import BackendMissingError, VoicepipeError
from voicepipe.text import class_name, printable, quote

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Makers of one kind of thing, by name. Built-in names win; for them no other package is looked up.

    It holds the names, and gives them one after the other; a maker is called by `make`.

    Args:
        noun: the kind of thing, for errors: "back end".
        group: the group of the entry points.
        built_in: the makers, by name.
        check: returns what another package has made; raises TypeError where that is something else.
        forms: the choices for errors, as a user writes them, in their order. By default the built-in names.
    """

    def __init__(
        self,
        noun: str,
        group: str,
        built_in: Mapping[str, Callable[..., T]],
        check: Callable[[T], T],
        forms: tuple[str, ...] = (),
    ) -> None:
        self._noun = noun
        self._group = group
        self._built_in = built_in
        self._check = check
        self._forms = forms or tuple(built_in)

    def make(self, name: str, *arguments: object) -> T:
        """Call the maker of that name.

        Raises:
            ValueError: there is none of that name; lists all that there are. Or the maker's own.
            BackendMissingError: another package has it, and does not work; names the package.
            VoicepipeError: the maker's own.
        """
        maker = self._built_in.get(name)
        return maker(*arguments) if maker is not None else self._make_elsewhere(name, arguments)

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or (isinstance(name, str) and bool(_entries(self._group, name)))

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._other_names()

    def choices(self) -> str:
        """List all that there are, for an error: "portaudio, wav:IN.wav,OUT.wav or fake"."""
        *others, last = [*self._forms, *self._other_names()]
        return f"{', '.join(others)} or {last}" if others else last

    def _other_names(self) -> list[str]:
        """Return the names that other packages add, in alphabetical order."""
        return sorted({printable(entry.name) for entry in _entries(self._group)} - {*self._built_in})

    def _make_elsewhere(self, name: str, arguments: tuple[object, ...]) -> T:
        found = _entries(self._group, name)
        if not found:
            raise ValueError(f"unknown {self._noun} {quote(name)}; choose {self.choices()}")
        entry, *more = found
        what = f"the {self._noun} {quote(name)} of the package {_package(entry)}"
        if more:
            packages = ", ".join(_package(each) for each in more)
            raise BackendMissingError(f"{what} is also in {packages}: uninstall all but one")
        try:
            made: T = refuse_coroutine(entry.value, entry.load()(*arguments))
            return self._check(made)
        except (VoicepipeError, ValueError):
            raise
        except Exception as error:  # another package's code: it may raise anything
            reason = printable(f"{class_name(error)}: {printable(error)}")
            raise BackendMissingError(f"{what} does not work ({reason}): update or uninstall it") from error


def _entries(group: str, name: str | None = None) -> list[EntryPoint]:
    """Return the entry points of a group that have this name, or all of them."""
    from importlib.metadata import entry_points  # here: built-in names do without it

    found = entry_points(group=group)
    return [entry for entry in found if name is None or entry.name == name]


def _package(entry: EntryPoint) -> str:
    """Return the name and version of an entry point's package."""
    return printable(f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value)
