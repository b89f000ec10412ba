"""The file with the weights of silero: the one that was packed, found wherever the package lies."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import voicepipe
from voicepipe.errors import BackendMissingError
from voicepipe.speech.detectors.silero_weights import FILE, shared_weights, weights_of

PACKAGE = Path(voicepipe.__file__).parent
PACKED = (PACKAGE / FILE).read_bytes()


def test_it_is_the_file_that_others_use() -> None:
    # As https://huggingface.co/ggml-org/whisper-vad has it.
    digest = hashlib.sha256(PACKED).hexdigest()
    assert digest == "2aa269b785eeb53a82983a20501ddf7c1d9c48e33ab63a41391ac6c9f7fb6987"


def test_notice_says_whose_the_packed_files_are() -> None:
    notice = (PACKAGE.parent / "NOTICE").read_text(encoding="utf-8")
    for file in (PACKAGE / "data").iterdir():
        assert f"\nvoicepipe/data/{file.name}\n" in notice


def test_it_is_read_once() -> None:
    assert shared_weights() is shared_weights()


DAMAGED = {
    "empty": b"",
    "short": PACKED[:-1],
    "long": PACKED + b"\0",
    "one bit": PACKED[:500_000] + bytes([PACKED[500_000] ^ 1]) + PACKED[500_001:],
    "another file": (PACKAGE / "data" / "speech.wav").read_bytes(),
    "a pointer to a large file": b"version https://git-lfs.github.com/spec/v1\n",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(BackendMissingError) as error:
        weights_of(data)
    assert str(error.value) == (
        "the file with the weights of silero, voicepipe/data/ggml-silero-v6.2.0.bin, is damaged "
        f"({len(data)} bytes, wrong checksum): install voicepipe again"
    )


def files_of(package: Path) -> Iterator[Path]:
    for pattern in ("**/*.py", "data/*"):
        yield from package.glob(pattern)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("leave_out", "said"),
    [
        ("nothing", "silero True"),
        (FILE, f"the file with the weights of silero, voicepipe/{FILE}, cannot be read ("),
    ],
)
def test_a_package_in_a_zip_hears_and_says_if_its_weights_are_not_in_it(
    leave_out: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "packed.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for file in files_of(PACKAGE):
            if not file.as_posix().endswith(leave_out):
                packed.write(file, file.relative_to(PACKAGE.parent))
    program = (
        "import voicepipe as vp\n"
        "try:\n    engine = vp.VADProcessor().engine\n"
        "except vp.BackendMissingError as error:\n    print(error)\n"
        "else:\n    print(engine.name, 0 < engine.score(bytes(1024)) < 0.5)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(said)
    assert done.stdout.count("\n") == 1
