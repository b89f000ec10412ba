"""Formats, conversion, levels and WAV files."""
