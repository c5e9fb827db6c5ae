#!/usr/bin/env python3
"""Attacks Hearth from outside, and shows by a figure that each attack comes to nothing.

    attack.py [--list] [--full] [NAME …]

Each file beside this one is an attack: `run(server, full) -> str` returns the figure, and raises AssertionError when the attack
works. `server.start(…)` starts a production server with data of its own; whatever was started ends with the attack. Without
`--full` attacks are short. One that this machine lacks something for raises `house.Missing` and counts as passed, with its
reason. Only Python's standard library is used.
"""

import argparse
import importlib
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import house  # noqa: E402


def attacks():
    """The names of all attacks, and what each says of itself."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        if path.stem not in ("attack", "house"):
            found[path.stem] = importlib.import_module(path.stem)
    return found


def one(name, attack, full):
    """Runs an attack and prints its line. Returns whether it came to nothing."""
    begun = time.monotonic()
    with house.House() as server:
        try:
            verdict, figure = "ok", attack.run(server, full)
        except house.Missing as missing:
            verdict, figure = "skipped", str(missing)
        except Exception as error:
            verdict, figure = "FAILED", f"{type(error).__name__}: {error}"
            if not isinstance(error, AssertionError):
                traceback.print_exc()
    print(f"{name:<14} {verdict:<8} {time.monotonic() - begun:6.1f} s   {figure}", flush=True)
    return verdict != "FAILED"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="list the attacks")
    parser.add_argument("--full", action="store_true", help="at full length")
    ask = parser.parse_args()
    known = attacks()
    if ask.list:
        for name, attack in known.items():
            print(f"{name:<14} {(attack.__doc__ or '').strip().splitlines()[0]}")
        return 0
    unknown = [name for name in ask.names if name not in known]
    if unknown:
        parser.error(f"there is no attack `{unknown[0]}`; there are: {' '.join(known)}")
    outcomes = [one(name, known[name], ask.full) for name in ask.names or known]
    print(f"{outcomes.count(True)} passed, {outcomes.count(False)} failed")
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
