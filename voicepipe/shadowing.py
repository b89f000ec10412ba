"""A user's module that has the name of one of the standard library, and is found before it.

Whatever imports `queue` then gets `queue.py` beside the program, and fails in words that do not help. It is
looked for after a failure only, and with nothing imported: there is no telling which module is the wrong one.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing
    from collections.abc import Iterator

__all__ = ["ShadowNaming", "shadow_error"]


class ShadowNaming:
    """A stretch of code whose failure names the user's module that it comes from, where it comes from one.

    Raises (at its end):
        ImportError: names the file; from the original error.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and (shadow := shadow_error(error)) is not None:
            raise shadow from error


def shadow_error(error: BaseException) -> ImportError | None:
    """Return an error that names the user's module from which this one comes; None: from none."""
    found = _find(error)
    if found is None:
        return None
    name, path = found
    return ImportError(
        f"{path} shadows the standard library's module {name}: rename it, or move it elsewhere",
        name=name,
        path=path,
    )


def _find(error: BaseException) -> tuple[str, str] | None:
    """Return the name and the path of the module that the error comes from, where it is such a one."""
    for each in _chain(error):
        for name, path in _suspects(each):
            if name in sys.stdlib_module_names and _is_of_somebody_else(path):
                return name, path
    return None


def _chain(error: BaseException) -> "Iterator[BaseException]":
    """Yield the error, and what it came from."""
    seen: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and now not in seen:
        seen.append(now)
        yield now
        now = now.__cause__ or now.__context__


def _suspects(error: BaseException) -> "Iterator[tuple[str, str]]":
    """Yield the modules that an error speaks of, or passed through: names, and paths."""
    if isinstance(error, AttributeError) and isinstance(error.obj, type(sys)):
        yield _describe(error.obj)
    if isinstance(error, ImportError) and error.name:
        module = sys.modules.get(error.name.partition(".")[0])
        if module is not None:
            yield _describe(module)
        if error.path:
            yield error.name.partition(".")[0], error.path
    if isinstance(error, SyntaxError) and error.filename:
        yield _stem(error.filename), error.filename
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "")
        yield str(name).partition(".")[0], step.tb_frame.f_code.co_filename
        step = step.tb_next


def _describe(module: object) -> tuple[str, str]:
    return str(getattr(module, "__name__", "")).partition(".")[0], str(
        getattr(module, "__file__", None) or ""
    )


def _stem(path: str) -> str:
    """Return the name of the module that a file is, a package's too."""
    parts = path.replace("\\", "/").removesuffix(".py").split("/")
    return parts[-2] if parts[-1] == "__init__" and len(parts) > 1 else parts[-1]


def _is_of_somebody_else(path: str) -> bool:
    """Return True for a module in Python that is not in the folder of the standard library."""
    if getattr(sys, "frozen", False) or not path.endswith((".py", ".pyc")):
        return False
    if "site-packages" in path or "dist-packages" in path:  # which may lie in the standard library's folder
        return True
    home = str(getattr(sys.modules.get("os"), "__file__", None) or "")
    folder = home[: max(home.rfind("/"), home.rfind("\\")) + 1]
    return bool(folder) and not path.startswith((folder, "<frozen"))
