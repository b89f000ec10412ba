"""A child that says what it was given."""

from __future__ import annotations

import os
import sys


def main() -> None:
    print(sys.argv[1:])
    print(os.environ.get("NOTIFY_SOCKET"))
    sys.stdout.flush()
