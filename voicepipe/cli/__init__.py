"""The command `voicepipe`. It imports nothing heavy before Ctrl-C is minded: that would be a traceback."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # without importing typing
    from collections.abc import Callable, Sequence
    from typing import NoReturn

__all__ = ["COMMANDS", "command", "end_with", "main"]

# Each is the module of that name in voicepipe.programs, whose `run(arguments, program)` returns the status.
COMMANDS = {
    "echo": "speak, pause, and it says it back",
    "devices": "list the microphones and speakers, and what would be taken",
    "vad": "find where somebody speaks in a file",
    "doctor": "find out what is wrong with the sound, and what to do",
    "latency": "measure how long sound takes through speaker, air and microphone",
    "record": "record the microphone into a WAV file",
    "play": "play a WAV file",
    "level": "show how loud it is at the microphone, and the speech as it comes",
    "status": "ask a running service how it is",
    "config": "show the settings in force, and where each comes from",
    "service": "run a voice program as a systemd service",
    "completion": "let a shell complete commands and options",
}
_USAGE = """usage: voicepipe COMMAND [--help]

Voice programs: microphone, stages, speaker.

commands:
{commands}
  --version   the version

exit status: 0 ended, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C
"""


def command() -> "NoReturn":
    """Run the program, and end the process with its status."""
    end_with(main)


def end_with(program: "Callable[[], int]") -> "NoReturn":
    """Run it, and end the process with its status. Ctrl-C before it listens ends it with no traceback."""
    try:
        _mind_ctrl_c()
        status = program()
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:  # whoever read what it prints has enough, as `head` has
        status = 0
    except OSError as error:  # what it prints cannot be written
        status = 1
        print(f"voicepipe: {error.strerror or error}", file=sys.stderr)
    from voicepipe.runner.process_end import end_process

    end_process(status)


def _mind_ctrl_c() -> None:
    """Until the program has handlers of its own there is nothing to end. Numpy takes an interrupted
    import for a broken installation, so a KeyboardInterrupt would not do.
    """
    import os
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def main(arguments: "Sequence[str] | None" = None, program: str = "voicepipe", only: str = "") -> int:
    """Run one command.

    Args:
        arguments: what stands on the command line; by default that of the process.
        program: how it was called.
        only: the command, where the arguments do not begin with it.

    Returns:
        The exit status.

    Raises:
        SystemExit: wrong usage, or --help.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not only:
        if given[:1] == ["help"] and len(given) > 1:
            given = [given[1], "--help"]
        if not given or given[0] in ("-h", "--help", "help"):
            print(_usage(), end="")
            return 0 if given else 2
        if given[0] == "--version":
            from voicepipe.version import __version__

            print(f"voicepipe {__version__}")
            return 0
        only = given.pop(0)
        program = f"{program} {only}"
        if only not in COMMANDS:
            return _unknown(only)
    from importlib import import_module

    status: int = import_module(f"voicepipe.cli.commands.{only}").run(given, program)
    return status


def _usage() -> str:
    return _USAGE.format(commands="\n".join(f"  {name:<11} {what}" for name, what in COMMANDS.items()))


def _unknown(name: str) -> int:
    from difflib import get_close_matches

    from voicepipe.text import printable

    near = get_close_matches(name, COMMANDS, 1)
    right = f"did you mean {near[0]}?" if near else f"{', '.join(COMMANDS)} would be right"
    print(f"voicepipe: there is no command {printable(repr(name))}: {right}", file=sys.stderr)
    return 2
