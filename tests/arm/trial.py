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
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from arm.cards import CARDS
from arm.hearing import ALIKE, SOUNDS, likeness, sentence
from arm.looking import PATIENCE, RUNTIME, Unit, check, children, priority, processes, run, say, until

COMMANDS = Path("/opt/trial/commands")
HOME = Path("/home/pi")
SOURCE = HOME / "voicepipe"
VOICEPIPE = HOME / "voice" / "bin" / "voicepipe"
CONFIG = HOME / ".config" / "voicepipe" / "config.toml"
USER_UNITS = HOME / ".config" / "systemd" / "user"
PHASE = HOME / "phase"
NOBODY = Path("/var/lib/nobody-logs-in")


def says_back(what: str, number: int = 0) -> None:
    """A sentence is said to it, and comes back."""
    path = SOUNDS / "heard.raw"
    with CARDS.recording(path):
        CARDS.speak(sentence(number))()
        time.sleep(3 if PATIENCE == 1 else 8)  # a pause ends the sentence, and then it is said back
    found = likeness(sentence(number), path)
    check(f"{what}: a sentence is said back", found > ALIKE, f"likeness {found:.3f}")


# -- the chapters ----------------------------------------------------------------------


def commands() -> None:
    """The five of the README."""
    for number, command in enumerate(COMMANDS.read_text().splitlines(), 1):
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
        (("service", "status"), "is running"),
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
    if not until(lambda: service.works, 60):
        raise TimeoutError(f"it does not work: {service.told}")
    pid, restarts = service.pid, int(service["NRestarts"])
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    until(lambda: service.pid not in (pid, 0) and service.works, 120)
    took = f"{time.monotonic() - began_s:.0f} s, {service.told}"
    ended = "Failed with result 'watchdog'" in run(VOICEPIPE, "service", "logs").stdout
    once = int(service["NRestarts"]) == restarts + 1 or PATIENCE > 1
    again = ended and once and service.works and service.pid != pid
    check("a program that stands still is ended by the watchdog, and started again", again, took)
    says_back("after that")
    pid = service.pid
    for number in (0, 1):
        before = service.reconnections
        os.kill(children(pid)[number], signal.SIGKILL)
        is_made_again(service, pid, before)
    says_back("after that")


def is_made_again(service: Unit, pid: int, before: int) -> None:
    """It counts one more reconnection, and is the same program."""
    until(lambda: service.works and service.reconnections > before, 60)
    recovered = service.works and service.pid == pid and service.reconnections > before
    check("a sound process that is killed is made again", recovered, service.told)


def configure(*, speaker_that_goes: bool = False) -> None:
    """The settings."""
    lines = CARDS.settings(speaker_that_goes=speaker_that_goes)
    CONFIG.parent.mkdir(parents=True, exist_ok=True)
    CONFIG.write_text("\n".join([*lines, ""]))


def speaker(*, there: bool) -> None:
    """It is unplugged, or plugged."""
    check(f"the speaker is {'plugged' if there else 'unplugged'}", CARDS.speaker(there=there))


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
    """The speaker, and the microphone."""
    configure(speaker_that_goes=True)
    service.do("restart")
    until(lambda: service.works, 60)
    check("with the speaker that goes", service.works, run(VOICEPIPE, "status").stdout)
    pid = service.pid
    is_said = CARDS.speak(sentence(1))
    time.sleep(0.5 + 3.5 + 1.5)  # it has been heard, its end is certain, and it is being said back
    speaker(there=False)
    is_said()
    waits(service, "speaker")
    time.sleep(5)  # longer than the first searches take
    speaker(there=True)
    comes_back(service, "the speaker", pid)
    CARDS.microphone(there=False)
    waits(service, "microphone")
    CARDS.microphone(there=True)
    until(lambda: service.works, 60)
    check("the microphone: sound is back", service.works and service.pid == pid, service.told)
    check("reconnections are counted", service.reconnections == 2, service.told)
    absent_at_the_start(service)


def absent_at_the_start(service: Unit) -> None:
    """The device comes after the service, and after the time that systemd gives by itself."""
    service.do("stop")
    speaker(there=False)
    service.do("start", "--no-block")
    waits(service, "speaker")
    time.sleep(75)  # for systemd gives up sooner where nobody asks for more time
    waiting = service["ActiveState"] == "activating" and service["NRestarts"] == "0"
    check("it still waits after 75 s, longer than TimeoutStartSec", waiting, service.told)
    speaker(there=True)
    until(lambda: service.works, 60)
    check("it is ready when the device is there", service.works, service.told)


def ends(service: Unit, socket: Path) -> None:
    """In the middle of a sentence: what was captured is heard, and nothing is left."""
    configure()
    service.do("restart")
    until(lambda: service.works, 60)
    path = SOUNDS / "ended.raw"
    group = Path("/sys/fs/cgroup" + service["ControlGroup"])
    with CARDS.recording(path):
        is_said = CARDS.speak(sentence(1))
        time.sleep(2.7 if PATIENCE == 1 else 4.0)  # in the middle of it
        began_s = time.monotonic()
        done = service.do("stop")
        took_s = time.monotonic() - began_s
        is_said()
    found = likeness(sentence(1, until_s=1.0), path)
    check("stopped in the middle of a sentence: what was captured is heard", found > ALIKE, f"{found:.3f}")
    ended = done.returncode == 0 and service["Result"] == "success" and service["ExecMainStatus"] == "0"
    check("it ended well", ended, f"{took_s:.1f} s, {service.told}, {done.stdout}")
    left = [*processes(), *(str(path) for path in (group, socket, socket.parent) if path.exists())]
    check("nothing is left", not left, left)


def examines() -> None:
    """`voicepipe devices` and `voicepipe doctor`, while the service is stopped."""
    done = run(VOICEPIPE, "devices")
    check("voicepipe devices", done.returncode == 0 and CARDS.listed in done.stdout, done.stdout)
    is_said = CARDS.speak(sentence(1) * (3 * PATIENCE))  # for zeros are not well
    done = run(VOICEPIPE, "doctor", limit_s=120)
    is_said()
    check("voicepipe doctor", done.returncode == 0 and "checks passed" in done.stdout, done.stdout)


def has_priority(what: str, service: Unit) -> None:
    """Its sound processes are real-time ones. Not judged where the computer lets root raise no limits."""
    if run("sudo", "prlimit", "--rtprio=20", "true").returncode:
        say(f"NOT JUDGED {what}: nobody may raise RLIMIT_RTPRIO here (CAP_SYS_RESOURCE)")
        return
    seen = {pid: priority(pid) for pid in children(service.pid)}
    granted = [how for how in seen.values() if not how.startswith("ordinary")]
    check(what, len(granted) >= 2, seen)


def nobody_is_logged_in(service: Unit) -> None:
    """After the reboot."""
    until(lambda: service.works, 120)
    booted = run("systemctl", "show", "--value", "--property=UserspaceTimestampMonotonic").stdout
    after_s = (int(service["ActiveEnterTimestampMonotonic"] or 0) - int(booted or 0)) / 1e6
    listed = run("loginctl", "list-sessions", "--no-legend").stdout.splitlines()
    sessions = [line for line in listed if " manager " not in line]  # which systemd 257 lists too
    check("after the reboot it runs", service.works, f"{after_s:.0f} s after systemd, {service.told}")
    check("and nobody is logged in", not sessions, sessions)
    has_priority("limits.d grants the user's unit priority", service)
    says_back("after the reboot")


def records(service: Unit) -> None:
    """`voicepipe record` as a service: killed, it goes on in another file; its recordings outlive it."""
    command = ("record", "--rate", "16000", "note-%H%M%S.wav")
    done = run(VOICEPIPE, "service", "install", "--name", "notes", "--", VOICEPIPE, *command)
    check("voicepipe service install -- voicepipe record", done.returncode == 0, done.stdout)
    until(lambda: service.works, 60)
    pid = service.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: service.pid not in (pid, 0) and service.works, 60)
    CARDS.speak(sentence(1))()
    done = run(VOICEPIPE, "service", "uninstall", "--name", "notes")
    folder = Path(done.stdout.strip().rpartition("recordings are kept: ")[2])
    files = sorted(folder.glob("*.wav")) if folder.is_absolute() else []
    check("killed, it goes on in another file", len(files) == 2, [*files, done.stdout])
    found = likeness(sentence(1), files[-1]) if files else 0.0
    check("a sentence is recorded", found > ALIKE, f"{found:.3f}, {service.told}")
    for file in files:
        file.unlink()
    folder.rmdir()
    folder.parent.rmdir()


def for_the_system(service: Unit) -> None:
    """The same in short, of the system."""
    done = run("sudo", VOICEPIPE, "service", "install", "--system")
    check("voicepipe service install --system", done.returncode == 0, done.stdout)
    unit(service, "--system")
    check("it runs as the user", service["User"] == "pi", service["User"])
    has_priority("its sound processes have priority", service)
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
    states = ("/var/lib", "/var/cache", HOME / ".local" / "state", HOME / ".cache")
    made = [str(path) for folder in states if (path := Path(folder, "voicepipe")).exists()]
    left = [*names, *known, *made, *processes()]
    check("nothing is left of it", not left, left)


# -- what is done when ------------------------------------------------------------------


def chapter(what: Callable[..., None], *arguments: object) -> None:
    """A failure in one is told, and the next begins."""
    say(f"== {what.__name__}")
    try:
        what(*arguments)
    except Exception as error:  # whatever it is: it is told, and the exit status is boot.py's to give
        traceback.print_exc()
        check(what.__name__, False, repr(error))
    fields = ("_SYSTEMD_USER_UNIT", "USER_UNIT", "_SYSTEMD_UNIT", "UNIT")
    matches = " + ".join(f"{name}=voicepipe.service" for name in fields).split()
    journal = ("sudo", "journalctl", "--no-pager", "-o", "short-monotonic", "--cursor-file=/run/told")
    say(run(*journal, *matches).stdout)


def first() -> None:
    """Who has logged in."""
    service = Unit("--user")
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
    getty = "console-getty" if Path("/run/systemd/container").exists() else f"serial-getty@{console}"
    run("systemctl", "restart", getty)


def second() -> None:
    """Who has logged in again."""
    chapter(taken_away)
    chapter(records, Unit("--user", name="notes"))
    chapter(for_the_system, Unit())
    say("TRIAL ended")
    run("sudo", "systemctl", "poweroff")


def main() -> None:
    """What the phase asks for."""
    SOUNDS.mkdir(exist_ok=True)
    phase = PHASE.read_text() if PHASE.exists() else "first"
    {"first": first, "rebooted": rebooted, "second": second}[phase]()


if __name__ == "__main__":
    main()
