#!/usr/bin/env python3
"""Measures the policy core beside its peers on this machine, in one run, and prints times, ratios, allocations and aims.

    bench.py [--rounds 15] [--only PART] [--json]

Peers: the crates `cel`, `cel-core`, `cedar-policy` and `regorus`, and `targaryen` in Node.js. Each is compiled once and gets
its data in its own types beforehand; the answers of all are compared before anything is timed. Times are CPU time of the
thread (of targaryen: the smaller of CPU and clock time), the median of several batches that are taken in turn.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TARGARYEN = HERE / "targaryen"


def build():
    """Builds as the product ships, and installs targaryen where Node.js is. The program."""
    command = ["cargo", "build", "--release", "--locked", "--manifest-path", HERE / "Cargo.toml"]
    subprocess.run(command, check=True)
    if shutil.which("npm") and not (TARGARYEN / "node_modules/targaryen").is_dir():
        install = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(install, cwd=TARGARYEN).returncode:
            print("skipped: targaryen (npm ci failed)", file=sys.stderr)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", HERE / "target")) / "release/policy-bench"


def lines(*command):
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def measure(rounds, only):
    """One row for each subject: its times, its ratio to Hearth, its allocations."""
    about, *rows = lines(build(), str(rounds), only)
    for row in rows:
        if row["aims"] is not None:
            ours = row
        row["ratio"] = row["median_ns"] / ours["median_ns"]
    return about, rows


def verdict(ours, peers):
    """What the aims of a case say: of the fastest peer, of the time, of the allocations."""
    aims, said = ours["aims"], []
    # The same program observed is no peer.
    rivals = [row["ratio"] for row in peers if not row["who"].startswith("hearth")]
    if aims["ratio"] and rivals:
        said.append((min(rivals) >= aims["ratio"], f"≥ {aims['ratio']:g}× {min(rivals):.1f}×"))
    if aims["ns"]:
        said.append((ours["median_ns"] <= aims["ns"], f"≤ {duration(aims['ns'])}"))
    if aims["allocations"] is not None:
        said.append((ours["allocations"] <= aims["allocations"], f"{aims['allocations']} allocations"))
    return said


def duration(ns):
    for unit, size in (("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.0f} ns"


def show(about, rows):
    pinned = "pinned to one CPU" if about["pinned"] else "not pinned"
    print(f"{about['rounds']} rounds of {about['batch_ms']} ms each, {pinned}; median, ± half the quartiles' distance")
    cases = {}
    for row in rows:
        cases.setdefault((row["group"], row["case"]), []).append(row)
    missed, group = [], None
    for (of, case), (ours, *peers) in cases.items():
        if of != group:
            group = of
            print(f"\n{group}")
        said = verdict(ours, peers)
        missed += [(of, case, text) for fits, text in said if not fits]
        aims = "; ".join(f"{'met' if fits else 'MISSED'}: {text}" for fits, text in said)
        print(f"  {case}{'   ' + aims if aims else ''}")
        for row in (ours, *peers):
            made = "" if row["allocations"] is None else f"{row['allocations']:g}"
            ratio = "" if row is ours else f"{row['ratio']:.1f}×"
            print(
                f"    {row['who']:28} {duration(row['median_ns']):>10} ± {row['spread_percent']:>4.1f} %  {ratio:>8}"
                f"  {made:>9} allocations   {row['includes']}"
            )
    print(f"\n{len(missed)} aims missed" if missed else "\nevery aim met")


def main():
    arguments = argparse.ArgumentParser(prog="x bench policy", description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=15, help="timed batches of each subject (15)")
    arguments.add_argument("--only", default="", help="only cases whose `group: case` has this in it")
    arguments.add_argument("--json", action="store_true", help="rows as JSON instead of a table")
    options = arguments.parse_args()
    about, rows = measure(options.rounds, options.only)
    if options.json:
        json.dump({"about": about, "rows": rows}, sys.stdout, indent=2)
        print()
    else:
        show(about, rows)


if __name__ == "__main__":
    main()
