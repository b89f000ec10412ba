"""What boot.py has done in the booted system: by the user who is logged in, and by root where nobody is.

Each thing that is looked at is a line of the console, `CHECK ok WHAT: SEEN` or `CHECK failed WHAT: SEEN`;
`PLEASE unplug` and `PLEASE plug` are for boot.py. It needs nothing but Debian's Python, for at first there is
nothing else; the likeness of two sounds is reckoned by the numpy of the voice program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = Path("/home/pi")
SOURCE = HOME / "voicepipe"
VOICEPIPE = HOME / "voice" / "bin" / "voicepipe"
CONFIG = HOME / ".config" / "voicepipe" / "config.toml"
PHASE = HOME / "phase"
NOBODY = Path("/var/lib/nobody-logs-in")
USER_UNITS = HOME / ".config" / "systemd" / "user"
RUNTIME = Path("/run/user/1000")
LOOPBACK = Path("/proc/asound/Loopback")
USB = Path("/proc/asound/card2")
SOUNDS = Path(f"/tmp/trial-{os.getuid()}")
RATE = 16_000
SENTENCES = ((0.2, 2.0), (2.7, 6.2))
"""Where they are in the bundled sample, in seconds."""
PIECE = RATE // 2
PATIENCE = int((HERE / "patience").read_text()) if (HERE / "patience").exists() else 1
ALIKE = 0.8 if PATIENCE == 1 else 0.5
"""What was said back is at least so much like what was said; another sentence is below 0.3. An emulated
processor is late for some of it."""


def say(line: str) -> None:
    """To the console, a line by itself."""
    print(f"\r\n{line}", flush=True)


def check(what: str, held: bool, seen: object = "") -> None:
    """Tell of one thing."""
    say(f"CHECK {'ok' if held else 'failed'} {what}: {' '.join(str(seen).split())[:600]}")


def run(*command: str | Path, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
    """A command: its status, and what it said on both outputs."""
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=limit_s * PATIENCE,
        check=False,
    )


def until(held: Callable[[], bool], limit_s: float) -> bool:
    """Wait for it; whether it came to hold in time."""
    end_s = time.monotonic() + limit_s * PATIENCE
    while not held():
        if time.monotonic() > end_s:
            return False
        time.sleep(0.2)
    return True


class Unit:
    """The service, as its manager knows it."""

    def __init__(self, *scope: str) -> None:
        self._manager: tuple[str, ...] = ("systemctl", *scope)
        if os.getuid() == 0 and scope == ("--user",):
            self._manager = ("runuser", "-u", "pi", "--", "env", f"XDG_RUNTIME_DIR={RUNTIME}", *self._manager)
        elif not scope:
            self._manager = ("sudo", *self._manager)

    def do(self, *action: str) -> subprocess.CompletedProcess[str]:
        """`do("stop")`, say."""
        return run(*self._manager, *action, "voicepipe", limit_s=120)

    def __getitem__(self, name: str) -> str:
        """A property."""
        return run(*self._manager, "show", "--value", "-p", name, "voicepipe").stdout.strip()

    @property
    def works(self) -> bool:
        """It is active, and sound flows."""
        return self["ActiveState"] == "active" and self["StatusText"].startswith("sound flows")

    @property
    def pid(self) -> int:
        """Of the program."""
        return int(self["MainPID"])

    @property
    def reconnections(self) -> int:
        """How often devices came back, as its status has it."""
        words = self["StatusText"].split()
        return int(words[-2]) if words[-1:] == ["reconnections"] else -1

    @property
    def told(self) -> str:
        """All that matters in a line."""
        names = ("ActiveState", "SubState", "Result", "NRestarts", "MainPID", "StatusText")
        return ", ".join(f"{name}={self[name]}" for name in names)


def children(pid: int) -> list[int]:
    """The processes that it started."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def priority(pid: int) -> str:
    """How a process is scheduled."""
    names = {os.SCHED_FIFO: "FIFO", os.SCHED_RR: "RR", os.SCHED_OTHER: "ordinary"}
    with suppress(OSError):
        policy = os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK
        return f"{names.get(policy, policy)} {os.sched_getparam(pid).sched_priority}"
    return "gone"


def processes() -> list[str]:
    """Those of the voice program."""
    found = run("pgrep", "-af", "voice/bin/python").stdout.splitlines()
    return [line for line in found if "pgrep" not in line]


# -- sound -----------------------------------------------------------------------------


def sentence(number: int, until_s: float | None = None) -> bytes:
    """Of the bundled sample, or its beginning."""
    start_s, end_s = SENTENCES[number]
    with wave.open(str(SOURCE / "voicepipe" / "data" / "speech.wav")) as file:
        file.setpos(round(start_s * RATE))
        sound: bytes = file.readframes(round((until_s or end_s - start_s) * RATE))
    return sound


def side(direction: str) -> str:
    """The end of the loopback that the service has not: what is played there it hears, and the reverse."""
    held = [
        end for end in (0, 1) if "closed" not in (LOOPBACK / f"pcm{end}{direction}/sub0/status").read_text()
    ]
    return f"plughw:Loopback,{1 - held[0]}" if held else "plughw:Loopback,1"


_FORM = ("-q", "-t", "raw", "-f", "S16_LE", "-c", "1", "-r", str(RATE))


@contextmanager
def recording(path: Path) -> Iterator[None]:
    """What the service's speaker plays meanwhile."""
    recorder = subprocess.Popen(["arecord", "-D", side("p"), *_FORM, str(path)], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()


def speak(sound: bytes) -> subprocess.Popen[bytes]:
    """Into the service's microphone: half a second of silence, the sound, and silence."""
    path = SOUNDS / "said.raw"
    path.write_bytes(bytes(RATE) + sound + bytes(2 * RATE * 3))
    return subprocess.Popen(["aplay", "-D", side("c"), *_FORM, str(path)], stdin=subprocess.DEVNULL)


def likeness(said: bytes, path: Path) -> float:
    """How much what was recorded is like what was said, at the best place: 0 to 1."""
    sample = SOUNDS / "sample.raw"
    sample.write_bytes(said)
    reckon = run(HOME / "voice/bin/python", __file__, "likeness", sample, path, limit_s=120)
    with suppress(ValueError):
        return float(reckon.stdout)
    say(reckon.stdout)
    return 0.0


def reckoned(said: str, recorded: str) -> float:
    """The same, where there is numpy: piece by piece, so that a gap costs a piece. Loud ones count more."""
    import numpy as np

    sample, record = (np.fromfile(path, np.int16).astype(float) for path in (said, recorded))
    if len(record) < PIECE:
        return 0.0
    power = np.concatenate([[0.0], np.cumsum(record**2)])
    windows = np.sqrt(np.maximum(power[PIECE:] - power[:-PIECE], 1.0))
    size = 1 << len(record).bit_length() + 1
    spectrum = np.fft.rfft(record, size)
    total = weights = 0.0
    for start in range(0, len(sample) - PIECE + 1, PIECE):
        piece = sample[start : start + PIECE]
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(windows)]
        weight = float(np.linalg.norm(piece))
        total += float(np.max(product / windows))
        weights += weight
    return total / weights


def says_back(what: str, number: int = 0) -> None:
    """A sentence is said to it, and comes back."""
    path = SOUNDS / "heard.raw"
    with recording(path):
        speak(sentence(number)).wait()
        time.sleep(3 if PATIENCE == 1 else 8)
    found = likeness(sentence(number), path)
    check(f"{what}: a sentence is said back", found > ALIKE, f"likeness {found:.3f}")


# -- the chapters ----------------------------------------------------------------------


def commands() -> None:
    """The five of the README."""
    for number, command in enumerate((HERE / "commands").read_text().splitlines(), 1):
        began_s = time.monotonic()
        done = subprocess.run(["bash", "-c", command], cwd=SOURCE, stdin=subprocess.DEVNULL, check=False)
        took = f"status {done.returncode}, {time.monotonic() - began_s:.0f} s: {command}"
        check(f"command {number}", done.returncode == 0, took)


def unit(service: Unit, *scope: str) -> None:
    """It is active, and tells how it is."""
    until(lambda: service.works, 60)
    name = "the unit of the system" if scope else "the unit"
    first_try = service["NRestarts"] == "0" or PATIENCE > 1
    check(f"{name} is active", service.works and first_try, service.told)
    check(f"{name}'s status has the level", " dB" in service["StatusText"], service["StatusText"])
    check(f"{name} has a watchdog", service["WatchdogUSec"] == "30s", service["WatchdogUSec"])
    for words, expected in (
        (("service", "status"), "active (running)"),
        (("status",), "works"),
        (("service", "logs"), "Started voicepipe"),
    ):
        done = run(VOICEPIPE, *words, *scope)
        right = done.returncode == 0 and expected in done.stdout
        check(f"voicepipe {' '.join((*words, *scope))}", right, done.stdout)


def hears(service: Unit) -> None:
    """With the devices that it takes by itself."""
    pid = service.pid
    says_back("user unit", 0)
    says_back("user unit, once more", 1)
    check("it is the same program", service.pid == pid, service.told)


def recovers(service: Unit) -> None:
    """From a program that stands still, and from sound processes that are killed."""
    pid, restarts = service.pid, int(service["NRestarts"])
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    until(lambda: service.pid not in (pid, 0) and service.works, 120)
    took = f"{time.monotonic() - began_s:.0f} s, {service.told}"
    again = int(service["NRestarts"]) == restarts + 1 and service.works and service.pid != pid
    check("a program that stands still is ended by the watchdog, and started again", again, took)
    says_back("after that")
    pid = service.pid
    for number in (0, 1):
        before = service.reconnections
        os.kill(children(pid)[number], signal.SIGKILL)
        until(lambda before=before: service.works and service.reconnections > before, 60)  # type: ignore[misc]
        recovered = service.works and service.pid == pid and service.reconnections > before
        check("a sound process that is killed is made again", recovered, service.told)
    says_back("after that")


def configure(*lines: str) -> None:
    """The settings are these."""
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    plain = ['vad = "webrtc-plain"'] if PATIENCE > 1 else []
    CONFIG.write_text("\n".join([*plain, *lines, ""]))


def please(what: str) -> None:
    """Ask boot.py for it, and see it done."""
    say(f"PLEASE {what}")
    until(lambda: USB.exists() == (what == "plug"), 30)
    check(f"the USB speaker: {what}", USB.exists() == (what == "plug"))


def waits(service: Unit, kind: str) -> None:
    """It says that it waits for it."""
    until(lambda: service["StatusText"].startswith(f"waiting for the {kind}"), 30)
    waiting = service["StatusText"].startswith(f"waiting for the {kind}")
    check(f"it waits for the {kind}", waiting, service.told)


def comes_back(service: Unit, what: str, pid: int) -> None:
    """Sound is back, and it is the same program."""
    until(lambda: service.works and service.reconnections >= 1, 60)
    same = service.works and service.reconnections >= 1 and service.pid == pid
    check(f"{what}: sound is back", same and service["NRestarts"] == "0", service.told)


def devices_go_and_come(service: Unit) -> None:
    """The USB speaker, and the microphone's driver."""
    configure('mic = "Loopback: PCM (hw:0,1)"', 'speaker = "USB"')
    service.do("restart")
    until(lambda: service.works, 60)
    check("with the USB speaker", service.works, run(VOICEPIPE, "status").stdout)
    pid = service.pid
    speech = speak(sentence(1))
    time.sleep(0.5 + 3.5 + 1.5)
    please("unplug")
    speech.wait()
    waits(service, "speaker")
    time.sleep(5)
    please("plug")
    comes_back(service, "the speaker", pid)
    for action in ("unbind", "bind"):
        driver = f"/sys/bus/platform/drivers/snd_aloop/{action}"
        run("sudo", "sh", "-c", f"echo snd_aloop.0 >{driver}")
        if action == "unbind":
            waits(service, "microphone")
    before = service.reconnections
    until(lambda: service.works, 60)
    check("the microphone's driver: sound is back", service.works and service.pid == pid, service.told)
    check("reconnections are counted", service.reconnections == 2, before)
    absent_at_the_start(service)


def absent_at_the_start(service: Unit) -> None:
    """The device comes after the service, and after the time that systemd gives by itself."""
    service.do("stop")
    please("unplug")
    service.do("start", "--no-block")
    waits(service, "speaker")
    time.sleep(75)
    waiting = service["ActiveState"] == "activating" and service["NRestarts"] == "0"
    check("it still waits after 75 s, longer than TimeoutStartSec", waiting, service.told)
    please("plug")
    until(lambda: service.works, 60)
    check("it is ready when the device is there", service.works, service.told)


def ends(service: Unit, socket: Path) -> None:
    """In the middle of a sentence: what was captured is heard, and nothing is left."""
    configure()
    service.do("restart")
    until(lambda: service.works, 60)
    path = SOUNDS / "ended.raw"
    group = Path("/sys/fs/cgroup" + service["ControlGroup"])
    with recording(path):
        speech = speak(sentence(1))
        time.sleep(0.5 + 2.2)
        began_s = time.monotonic()
        done = service.do("stop")
        took_s = time.monotonic() - began_s
        speech.wait()
    found = likeness(sentence(1, until_s=1.5), path)
    check("stopped in the middle of a sentence: what was captured is heard", found > ALIKE, f"{found:.3f}")
    ended = done.returncode == 0 and service["Result"] == "success" and service["ExecMainStatus"] == "0"
    check("it ended well", ended, f"{took_s:.1f} s, {service.told}, {done.stdout}")
    left = [*processes(), *(str(path) for path in (group, socket, socket.parent) if path.exists())]
    check("nothing is left", not left, left)


def examines() -> None:
    """`voicepipe devices` and `voicepipe doctor`, while the service is stopped."""
    done = run(VOICEPIPE, "devices")
    check("voicepipe devices", done.returncode == 0 and "Loopback" in done.stdout, done.stdout)
    done = run(VOICEPIPE, "doctor", limit_s=120)
    check("voicepipe doctor", done.returncode == 0 and "all is well" in done.stdout, done.stdout)


def nobody_is_logged_in(service: Unit) -> None:
    """After the reboot."""
    until(lambda: service.works, 120)
    after_s = int(service["ActiveEnterTimestampMonotonic"] or 0) / 1e6
    sessions = run("loginctl", "list-sessions", "--no-legend").stdout.split()
    check("after the reboot it runs", service.works, f"{after_s:.0f} s after the kernel, {service.told}")
    check("and nobody is logged in", not sessions, sessions)
    seen = {pid: priority(pid) for pid in children(service.pid)}
    granted = [how for how in seen.values() if not how.startswith("ordinary")]
    check("limits.d grants the user's unit priority", len(granted) >= 2, seen)
    says_back("after the reboot")


def for_the_system(service: Unit) -> None:
    """The same in short, of the system."""
    done = run("sudo", VOICEPIPE, "service", "install", "--system")
    check("voicepipe service install --system", done.returncode == 0, done.stdout)
    unit(service, "--system")
    check("it runs as the user", service["User"] == "pi", service["User"])
    seen = {pid: priority(pid) for pid in children(service.pid)}
    granted = [how for how in seen.values() if not how.startswith("ordinary")]
    check("its sound processes have priority", len(granted) >= 2, seen)
    says_back("unit of the system")
    ends(service, Path("/run/voicepipe/status"))
    taken_away("--system")


def taken_away(*scope: str) -> None:
    """Uninstalled, and nothing is left."""
    sudo = ("sudo",) if "--system" in scope else ()
    done = run(*sudo, VOICEPIPE, "service", "uninstall", *scope)
    check(f"voicepipe service uninstall {' '.join(scope)}", done.returncode == 0, done.stdout)
    names = run("find", USER_UNITS, "/etc/systemd/system", "-name", "*voicepipe*").stdout.split()
    known = run("systemctl", "--user", "list-units", "--all", "--no-legend", "voicepipe*").stdout.split()
    left = [*names, *known, *processes()]
    check("nothing is left of it", not left, left)


# -- what is done when ------------------------------------------------------------------


def chapter(what: Callable[..., None], *arguments: object) -> None:
    """A failure in one is told, and the next begins."""
    say(f"== {what.__name__}")
    try:
        what(*arguments)
    except Exception as error:
        traceback.print_exc()
        check(what.__name__, False, repr(error))
    fields = ("_SYSTEMD_USER_UNIT", "USER_UNIT", "_SYSTEMD_UNIT", "UNIT")
    matches = " + ".join(f"{name}=voicepipe.service" for name in fields).split()
    journal = ("sudo", "journalctl", "--no-pager", "-o", "short-monotonic", "--cursor-file=/run/told")
    say(run(*journal, *matches).stdout)


def first() -> None:
    """Who has logged in."""
    service = Unit("--user")
    if PATIENCE > 1:
        configure()
    chapter(commands)
    chapter(unit, service)
    chapter(hears, service)
    chapter(recovers, service)
    chapter(devices_go_and_come, service)
    chapter(ends, service, RUNTIME / "voicepipe" / "status")
    chapter(examines)
    run("sudo", "sh", "-c", "echo '@audio - rtprio 20' >/etc/security/limits.d/voice.conf")
    PHASE.write_text("rebooted")
    run("sudo", "touch", NOBODY)
    run("sudo", "systemctl", "reboot")


def rebooted() -> None:
    """Root, before anybody logs in."""
    chapter(nobody_is_logged_in, Unit("--user"))
    PHASE.write_text("second")
    NOBODY.unlink()
    console = Path("/sys/class/tty/console/active").read_text().split()[-1]
    run("systemctl", "restart", f"serial-getty@{console}")


def second() -> None:
    """Who has logged in again."""
    chapter(taken_away)
    chapter(for_the_system, Unit())
    say("TRIAL ended")
    run("sudo", "systemctl", "poweroff")


def main(arguments: Sequence[str]) -> None:
    """What the phase asks for."""
    if arguments[:1] == ["likeness"]:
        print(reckoned(*arguments[1:]))
        return
    SOUNDS.mkdir(exist_ok=True)
    phase = PHASE.read_text() if PHASE.exists() else "first"
    {"first": first, "rebooted": rebooted, "second": second}[phase]()


if __name__ == "__main__":
    main(sys.argv[1:])
