"""Checks that a wheel holds both packages with their data and licences, and nothing else.

python .ci/check_wheel.py WHEEL
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import PurePath

PACKAGES = ("voicepipe", "voicepipe_devices")
DATA = ("voicepipe/data/speech.wav", "voicepipe/data/ggml-silero-v6.2.0.bin")
"""What is no code."""


def complaints(paths: Iterable[PurePath]) -> Iterator[str]:
    """Yield a line for everything that is missing, and for everything that does not belong there."""
    paths = list(paths)
    for package in PACKAGES:
        if PurePath(package, "py.typed") not in paths:
            yield f"{package}/py.typed is not in it"
    for name in DATA:
        if PurePath(name) not in paths:
            yield f"{name} is not in it"
    for name in ("LICENSE", "NOTICE"):
        if not any(path.name == name and path.parts[0].endswith(".dist-info") for path in paths):
            yield f"{name} is not in it"
    for path in paths:
        if path.parts[0] not in PACKAGES and not path.parts[0].endswith(".dist-info"):
            yield f"{path} is in it: only {' and '.join(PACKAGES)} belong there"
        elif "tests" in path.parts or path.name.startswith("test_") or path.name == "conftest.py":
            yield f"{path} is in it: tests do not belong there"


def main(wheel: str) -> int:
    """Check, and print."""
    paths = [PurePath(name) for name in zipfile.ZipFile(wheel).namelist()]
    wrong = list(complaints(paths))
    for line in wrong:
        print(f"FAILED: {PurePath(wheel).name}: {line}")
    print(f"{PurePath(wheel).name}: {len(paths)} files")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
