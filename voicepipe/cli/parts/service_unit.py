"""The systemd unit of a voice program, with the reasons of its settings."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from voicepipe.params import Limits
from voicepipe.text import quote

__all__ = ["MARK", "Unit", "wanted_by"]

MARK = "# Written by `voicepipe service install`, which writes it again. Changes: systemctl edit"
_PLAIN = re.compile(r"[\w@+=:,./-]+", re.ASCII)
_SPARE_S = 12.0
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_UNIT = """\
{mark}
[Unit]
Description={name}: a voice program
{after}
# It is started again for as long as it takes.
StartLimitIntervalSec=0

[Service]
# READY comes with the first sound, pings while sound flows: "active (running)" is not deaf.
Type=notify
NotifyAccess=all
ExecStart={command}
WorkingDirectory={folder}
{user}Environment=PYTHONUNBUFFERED=1
TimeoutStartSec=60
# It pings three times in this. A device that makes no sign has had 30 s of recovery before the pings stop.
WatchdogSec=30
# No core dump, which would hold sound; what can still be heard is heard.
WatchdogSignal=SIGTERM
LimitCORE=0
# The signal is for the program alone: the processes that play its last sentence are its own to end.
KillMode=mixed
# What is being said is heard to its end: 310 s at most (Limits.drain_s), 2 s for a cancel, 1 s to close, and
# some to spare. A program with a longer limit asks for more time as it ends.
TimeoutStopSec={stop_s}
Restart=on-failure
{back_off}
# Wrong usage does not get better by itself.
RestartPreventExitStatus=2
SyslogIdentifier={name}
LogRateLimitIntervalSec=30
LogRateLimitBurst=500
# Recordings go to the state directory; all that is written is for this user only. It has a folder of its own
# below, for systemd before 254 takes the one of settings for a user's state.
StateDirectory={name}/recordings
StateDirectoryMode=0700
RuntimeDirectory={name}
RuntimeDirectoryMode=0700
UMask=0077
{hardening}
[Install]
WantedBy={wanted_by}
"""

# Left out on purpose, in both: MemoryDenyWriteExecute (every audio callback fails with MemoryError),
# PrivateDevices (no sound card), RestrictRealtime (no priority for sound).
_FOR_ANY_MANAGER = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""
_FOR_THE_SYSTEM = """\
LimitRTPRIO=20
SupplementaryGroups=audio
CacheDirectory={name}
CacheDirectoryMode=0700
Environment=XDG_CACHE_HOME=%C/{name}
CapabilityBoundingSet=
DevicePolicy=closed
DeviceAllow=char-alsa rw
KeyringMode=private
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """A program to run as a service.

    Raises:
        ValueError: the name does not fit a unit, or a word of the command cannot stand in one.
    """

    name: str
    command: tuple[str, ...]
    """The program's absolute path, and its arguments."""
    folder: str
    """The folder in which it is started: `python -m` finds modules there."""
    user: str = ""
    """The user of a system unit; empty: a user unit."""
    systemd: int = 252
    """The version of systemd that will read it."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{quote(self.name)} does not fit a service; choose letters, digits, - and _")
        for word in (*self.command, self.folder, self.user):
            if not word.isprintable():
                raise ValueError(f"{quote(word)} does not fit a unit: it has a control character")

    @property
    def text(self) -> str:
        """The unit file."""
        hardening = _FOR_ANY_MANAGER + (_FOR_THE_SYSTEM.format(name=self.name) if self.user else "")
        return _UNIT.format(
            mark=MARK,
            name=self.name,
            after="After=sound.target network.target"
            if self.user
            else "After=pipewire.service wireplumber.service pulseaudio.service",
            command=_command_line(self.command),
            folder=self.folder.replace("%", "%%"),
            user=f"User={self.user}\n" if self.user else "",
            stop_s=_stop_s(),
            back_off=_back_off(self.systemd),
            hardening=hardening,
            wanted_by=wanted_by(for_system=bool(self.user)),
        )

    @property
    def recordings(self) -> Path:
        """The state directory: systemd makes it, and leaves it."""
        if self.user:
            state = "/var/lib"
        elif self.systemd < 254:
            state = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        else:
            state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(state).expanduser() / self.name / "recordings"


def wanted_by(*, for_system: bool) -> str:
    """Return the target that starts it."""
    return "multi-user.target" if for_system else "default.target"


def _stop_s() -> int:
    """Return the time that an end may take, with some to spare, in whole seconds."""
    limits = Limits()
    return math.ceil(limits.drain_s + limits.cancel_s + limits.close_s + _SPARE_S)


def _back_off(systemd: int) -> str:
    if systemd < 254:  # which would warn of what it does not know
        return "RestartSec=5"
    return "RestartSec=1\nRestartSteps=6\nRestartMaxDelaySec=60"


def _command_line(command: Sequence[str]) -> str:
    path, *arguments = command
    # Variables are not expanded in the path.
    return " ".join([_quote_word(path), *(_quote_word(word.replace("$", "$$")) for word in arguments)])


def _quote_word(word: str) -> str:
    """Quote a word for systemd: `man systemd.syntax`, `man systemd.service`."""
    if _PLAIN.fullmatch(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
