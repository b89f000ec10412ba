"""Lazy names of a package, which are imported at their first use."""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from collections.abc import Callable

__all__ = ["homes_of", "lazy_names"]


def homes_of(names_by_module: dict[str, str]) -> dict[str, str]:
    """Return the home module of each name.

    Args:
        names_by_module: for each module, its names, separated by spaces.
    """
    return {name: module for module, names in names_by_module.items() for name in names.split()}


def lazy_names(
    package: str, namespace: dict[str, object], homes: dict[str, str]
) -> "tuple[Callable[[str], object], Callable[[], list[str]]]":
    """Return `__getattr__` and `__dir__` for a package.

    Args:
        package: the name of the package, for error messages.
        namespace: the package's globals, which keep each name after its first use.
        homes: the home module of each name.
    """

    def get(name: str) -> object:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import importlib

        value: object = getattr(importlib.import_module(home), name)
        namespace[name] = value
        return value

    def names() -> list[str]:
        return sorted({*namespace, *homes})

    return get, names
