"""The package webrtcvad-wheels: PyInstaller's own hook looks for one called webrtcvad, and fails."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

from PyInstaller.utils.hooks import copy_metadata

datas = copy_metadata("webrtcvad-wheels")
