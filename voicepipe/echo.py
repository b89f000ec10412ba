"""The echo program: speak, pause, and it says it back. `python -m voicepipe.echo --help`"""

try:
    from voicepipe.cli import end_with, main
except KeyboardInterrupt:  # here too it is no traceback
    raise SystemExit(130) from None

__all__ = ["main"]

if __name__ == "__main__":
    end_with(lambda: main(None, "python -m voicepipe.echo", "echo"))
