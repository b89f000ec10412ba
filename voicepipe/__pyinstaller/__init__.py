"""The hooks by which PyInstaller packs voicepipe; it finds them through the entry point `pyinstaller40`.

hook-voicepipe   modules and data that no import statement names
hook-webrtcvad   the voice detector, which is another package than its name says
rthooks          a program that is packed begins with `freeze_support`
"""

__all__ = ["get_hook_dirs"]


def get_hook_dirs() -> list[str]:
    """Return the folder of the hooks, for PyInstaller."""
    return list(__path__)
