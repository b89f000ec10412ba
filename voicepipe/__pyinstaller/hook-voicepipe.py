"""The modules and data of voicepipe: it imports most of them by name, when they are first asked for."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

from PyInstaller.utils.hooks import can_import_module, collect_data_files, collect_submodules, copy_metadata


def _is_packed(module: str) -> bool:
    """Return False for the tools for tests, which would bring pytest, and for these hooks."""
    return not module.startswith(("voicepipe.testing", "voicepipe.__pyinstaller"))


hiddenimports = [
    *collect_submodules("voicepipe", filter=_is_packed),
    *collect_submodules("voicepipe_devices"),
    "webrtcvad",
]
if can_import_module("pywebrtc_audio"):  # it has no wheel for some machines
    hiddenimports += ["pywebrtc_audio"]
if can_import_module("soundfile"):  # its own hook brings its library
    hiddenimports += ["soundfile"]
datas = [
    *collect_data_files("voicepipe", includes=["data/*"]),
    *copy_metadata("voicepipe"),  # its entry points
]
