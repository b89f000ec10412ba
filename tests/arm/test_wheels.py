"""No compiler is needed on a Raspberry Pi: pip finds a wheel of everything for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from packaging.requirements import Requirement

from arm.wheels import RELEASES, requirements, resolve, wheels

_NO_NETWORK = re.compile(r"connection|resolve host|name resolution|timed? ?out|unreachable", re.IGNORECASE)


def resolved(python: str, wanted: Sequence[str]) -> tuple[int, str]:
    done = resolve(python, wanted)
    if done.returncode and _NO_NETWORK.search(done.stderr):
        pytest.skip("allowed skip: there is no package index to ask")
    return done.returncode, done.stdout


@pytest.mark.parametrize("python", RELEASES.values())
def test_every_dependency_has_a_wheel_for_aarch64(python: str) -> None:
    status, report = resolved(python, requirements())
    assert status == 0
    found = wheels(report)
    needed = {"numpy", "soxr", "sounddevice", "webrtcvad_wheels", "pywebrtc_audio"}
    assert needed <= {name.partition("-")[0] for name in found}
    assert all(name.endswith(("aarch64.whl", "-none-any.whl")) for name in found)


def test_what_has_only_a_source_is_found_missing() -> None:
    status, _ = resolved("3.13", ["webrtcvad==2.0.10"])
    assert status != 0


@pytest.mark.parametrize(
    ("system", "machine", "python", "is_needed"),
    [
        ("linux", "x86_64", "3.11", True),
        ("linux", "aarch64", "3.14", True),
        ("darwin", "arm64", "3.13", True),
        ("darwin", "x86_64", "3.13", True),
        ("win32", "AMD64", "3.13", True),
        ("linux", "armv7l", "3.13", False),
        ("linux", "armv6l", "3.11", False),
        ("linux", "i686", "3.13", False),
        ("linux", "riscv64", "3.13", False),
        ("win32", "ARM64", "3.13", False),
        ("linux", "aarch64", "3.15", False),
    ],
)
def test_echo_canceller_is_needed_only_where_it_has_a_wheel(
    system: str, machine: str, python: str, is_needed: bool
) -> None:
    (found,) = [each for each in map(Requirement, requirements()) if each.name == "pywebrtc-audio"]
    assert found.marker is not None
    where = {"sys_platform": system, "platform_machine": machine, "python_version": python}
    assert found.marker.evaluate({**where, "platform_python_implementation": "CPython"}) is is_needed
