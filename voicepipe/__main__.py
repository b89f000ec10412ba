"""`python -m voicepipe`: the command `voicepipe`."""

try:
    from voicepipe.cli import command
except KeyboardInterrupt:  # here too it is no traceback
    raise SystemExit(130) from None

if __name__ == "__main__":
    command()
