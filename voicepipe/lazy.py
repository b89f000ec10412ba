"""Names of a package that are imported when they are first asked for."""

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing: nothing is imported here before a program minds Ctrl-C
    from collections.abc import Callable

__all__ = ["homes_of", "lazy_names"]


def homes_of(names_by_module: dict[str, str]) -> dict[str, str]:
    """Return the module of each name, from the names of each module, separated by spaces."""
    return {name: module for module, names in names_by_module.items() for name in names.split()}


def lazy_names(
    package: str, namespace: dict[str, object], homes: dict[str, str]
) -> "tuple[Callable[[str], object], Callable[[], list[str]]]":
    """Return `__getattr__` and `__dir__` for a package whose names have these home modules."""

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
