"""`python -m bench`: what `make bench` runs."""

import argparse
import sys
from pathlib import Path

from bench import place, profiling
from bench.client import Broken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", default="all", choices=("all", "profile-worker"))
    parser.add_argument("--texts", type=int, default=50_000, help="envelopes of the blast")
    parser.add_argument("--kind", choices=("sample", "cprofile", "both"), default="both", help="which profiler")
    parser.add_argument("--dir", type=Path, help="where to keep the data while it runs")
    return parser.parse_args()


def main() -> int:
    """Run what is asked for; 0 unless the run broke: how fast it was is for people to judge."""
    asked = _arguments()
    try:
        with place.folder(asked.dir) as data:
            kinds = ("sample", "cprofile") if asked.kind == "both" else (asked.kind,)
            profiling.profile_worker(data, asked.texts, kinds)
    except Broken as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
