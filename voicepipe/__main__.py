"""`python -m voicepipe`: the command `voicepipe`."""

from voicepipe.cli import command

if __name__ == "__main__":
    command()
