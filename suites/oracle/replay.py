"""What the replays of recorded verdicts have in common: asking every case of a record, and the exceptions."""

import argparse
import json
import tempfile


def main(name, record, exceptions, world, doc):
    """Replays a record. `world` starts a server on a folder: it has `load(rules)`, `verdict(case)` and `stop()`.

    `exceptions` is a file with the cases that a live server cannot be asked as they stand, each with its verdict there (null where
    the request cannot even be made). One whose verdict differs, or that is no longer needed, fails.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--only", help="rulesets whose name has this in it")
    parser.add_argument("--show", type=int, default=20, help="how many differences to print")
    options = parser.parse_args()
    if not record.exists():
        print(f"{name}: skipped: there is no recorded behaviour of production here (HEARTH_ORACLE)")
        return 0
    exceptions = {entry["case"]: entry for entry in json.loads(exceptions.read_text())}
    passed, failures, excepted = 0, [], set()
    with tempfile.TemporaryDirectory(prefix=f"hearth-{name}-") as folder:
        server = world(folder)
        try:
            for ruleset in json.loads(record.read_text()):
                if options.only and options.only not in ruleset["id"]:
                    continue
                status, answer = server.load(ruleset["rules"])
                assert status == 200, f"{ruleset['id']}: {answer}"
                for case in ruleset["cases"]:
                    label = f"{ruleset['id']}: {case['description']}"
                    entry = exceptions.get(label)
                    if entry:
                        excepted.add(label)
                    if entry and entry["live"] is None:
                        passed += 1
                        continue
                    verdict = server.verdict(case)
                    expected = entry["live"] if entry else case["observed"]
                    if verdict != expected:
                        failures.append(f"{label}: {verdict}, expected {expected}")
                    elif entry and verdict == case["observed"]:
                        failures.append(f"{label}: is no longer an exception")
                    else:
                        passed += 1
        finally:
            server.stop()
    # More cases of the same kind may be replayed: an exception for a case that is not among them is no fault.
    for failure in failures[: options.show]:
        print(failure)
    print(f"{name}: {passed - len(excepted)} as production, {len(excepted)} exceptions with a reason")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0
