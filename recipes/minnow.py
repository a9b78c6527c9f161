"""Train minnow: `python recipes/minnow.py --profile cpu-512 --out DIR`."""

from __future__ import annotations

import argparse

from leadline.training.recipes.minnow import PROFILES, Minnow


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="cpu-512")
    parser.add_argument("--out", required=True, help="folder to write; an interrupted training there goes on")
    parser.add_argument("--minutes", type=float, default=0.0, help="wall-clock limit [min]")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    Minnow(out=args.out, profile=args.profile, minutes=args.minutes, seed=args.seed).run()


if __name__ == "__main__":
    main()
