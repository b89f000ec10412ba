"""The echo program: speak, pause, and it says it back. `python -m voicepipe.echo --help`"""

from voicepipe.cli import end_with, main

__all__ = ["main"]

if __name__ == "__main__":
    end_with(lambda: main(None, "python -m voicepipe.echo", "echo"))
