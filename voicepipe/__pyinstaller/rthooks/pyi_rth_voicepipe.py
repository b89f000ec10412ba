"""Begins a program that PyInstaller has packed: as a child process it serves, and the program is not run."""

from voicepipe.children.start import freeze_support

freeze_support()
