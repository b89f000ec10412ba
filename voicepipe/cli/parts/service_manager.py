"""The service manager, systemd, as `systemctl` reaches it; and the reasons why it cannot be reached."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
from dataclasses import dataclass

from voicepipe.errors import VoicepipeError
from voicepipe.text import printable

__all__ = ["Manager", "ServiceError", "UnreachableError", "user_name"]

_NO_BUS = re.compile(
    r"failed to (connect to|get) .*bus|XDG_RUNTIME_DIR not defined|not been booted with systemd",
    re.IGNORECASE,
)
_BOOTED = "/run/systemd/system"
"""A folder that is there where systemd runs: `man sd_booted`."""
_RUNTIME = "/run/user"
_CONTAINER = (
    "systemd does not run here, as in most containers: let what starts the container start the program"
)


class ServiceError(VoicepipeError):
    """An action failed; the message says what to do."""


class UnreachableError(ServiceError):
    """The manager does not answer: no systemd, or no bus to it."""


@dataclass(frozen=True, slots=True)
class Manager:
    """The manager of the system's services, or of the user's."""

    for_system: bool

    @property
    def scope(self) -> tuple[str, ...]:
        """The option that names it."""
        return () if self.for_system else ("--user",)

    def call(self, *arguments: str) -> str:
        """Call systemctl; return what it printed. Raises: ServiceError."""
        command = ["systemctl", *self.scope, *arguments]
        try:
            status, output, complaint = _run(command, self.environment())
        except OSError as error:
            raise UnreachableError(_missing("systemctl", error)) from None
        if status:
            said = printable(" ".join(complaint.split())) or f"status {status}"
            if _NO_BUS.search(said):
                raise UnreachableError(self._unreachable(said))
            raise ServiceError(f"`{' '.join(command)}` failed: {said}")
        return output

    def show(self, command: list[str]) -> int:
        """Let a program of systemd print; return 0, or 1 where it failed. Raises: ServiceError."""
        try:
            return 1 if subprocess.run(command, check=False, env=self.environment()).returncode else 0
        except OSError as error:
            raise UnreachableError(_missing(command[0], error)) from None

    def environment(self) -> dict[str, str]:
        """Return the environment for systemd's programs: `sudo -i` and `su` forget where the bus is."""
        environment = dict(os.environ)
        folder = f"{_RUNTIME}/{os.getuid()}"
        if not self.for_system and not environment.get("XDG_RUNTIME_DIR") and os.path.isdir(folder):
            environment["XDG_RUNTIME_DIR"] = folder
        return environment

    def _unreachable(self, said: str) -> str:
        if self.for_system:
            return f"systemd cannot be reached ({said}); {_CONTAINER}"
        user = user_name() or "the user"
        sudo = os.environ.get("SUDO_USER") if os.getuid() == 0 else None
        who = f"type it without sudo, as {sudo}" if sudo else f"log in as {user} (sudo and su are no log-in)"
        advice = f"{who}, or type `sudo loginctl enable-linger {user}` and try again, or add --system"
        container = "" if os.path.isdir(_BOOTED) else f". {_CONTAINER}"
        return f"no bus to the service manager of {user} ({said}): {advice}{container}"


def user_name() -> str:
    """Return the name of the user; "" where the system does not know it, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Run a command; return its status and what it said on stdout and stderr. Raises: OSError."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, errors="replace", env=environment
    ) as process:
        try:
            output, complaint = process.communicate()
        except BaseException:  # after Ctrl-C, `subprocess.run` would leave it behind
            process.kill()
            process.wait()
            raise
        return process.returncode, output, complaint


def _missing(program: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{program} not found: services need systemd; elsewhere start the program itself"
    return f"{program} cannot be started: {error.strerror}"
