#!/usr/bin/env python3
"""The tests of packages/functions of firebase-js-sdk, unmodified, against `hearth dev` with the SDK's own backend (config/functions).

    callables.py FOLDER      a checkout, or a bare clone, of https://github.com/firebase/firebase-js-sdk

Needs `npm ci` here and in suites/node. Prints how many passed, failed and were passed over. Source of the expectations: the SDK.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
BINARY = os.environ.get("HEARTH_BIN", str(REPOSITORY / "target/debug/hearth"))
PROJECT = "functions-integration-test"
PARTS = [
    "packages/functions/src",
    "packages/functions/test",
    "packages/functions/package.json",
    "packages/functions/tsconfig.json",
    "packages/messaging-interop-types",
    "config/tsconfig.base.json",
    "config/functions/index.js",
]


def extract(clone: Path, to: Path) -> None:
    archive = subprocess.run(["git", "-C", clone, "archive", "HEAD", *PARTS], check=True, capture_output=True)
    subprocess.run(["tar", "-x", "-C", to], input=archive.stdout, check=True)


def prepare(clone: Path, work: Path) -> Path:
    """Lays the SDK's folders out as in its repository. Returns the project's folder."""
    extract(clone, work)
    (work / "config/project.json").write_text(json.dumps({"projectId": PROJECT}))
    packages = work / "node_modules"
    packages.symlink_to(HERE / "node_modules")
    project = work / "project"
    functions = project / "functions"
    functions.mkdir(parents=True)
    shutil.copy(work / "config/functions/index.js", functions)
    (functions / "package.json").write_text('{"main": "index.js"}')
    (functions / "node_modules").symlink_to(REPOSITORY / "suites/node/node_modules")
    (project / "firebase.json").write_text('{"functions": {"source": "functions"}}')
    return project


def main() -> int:
    clone = Path(sys.argv[1])
    with tempfile.TemporaryDirectory(prefix="hearth-callables-") as folder:
        work = Path(folder)
        project = prepare(clone, work)
        arguments = ["dev", project, "--ephemeral", "--ports", "all=0", "--json", "--project", PROJECT]
        server = subprocess.Popen([BINARY, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(server.stdout.readline())
            origin = f"http://127.0.0.1:{ready['ports']['functions']}"
            options = {"TS_NODE_COMPILER_OPTIONS": '{"module": "commonjs"}', "TS_NODE_LOG_ERROR": "true"}
            environment = {**os.environ, **options, "FIREBASE_FUNCTIONS_EMULATOR_ORIGIN": origin}
            command = ["npx", "mocha", "--require", "ts-node/register", "--exit", "--timeout", "10000", "--file", "src/index.ts", "--reporter", "json", "src/callable.test.ts"]
            done = subprocess.run(
                command, cwd=work / "packages/functions", env=environment, capture_output=True, text=True, timeout=300
            )
        finally:
            server.terminate()
            server.wait(timeout=20)
    report = done.stdout[done.stdout.find("{\n") :]
    if not report:
        print(done.stdout + done.stderr, file=sys.stderr)
        return 2
    report = json.loads(report)
    for failure in report["failures"]:
        print(f"FAILED {failure['fullTitle']}: {failure['err'].get('message')}", file=sys.stderr)
    stats = report["stats"]
    print(json.dumps({"passed": stats["passes"], "failed": stats["failures"], "skipped": stats["pending"]}))
    return 1 if stats["failures"] or not stats["passes"] else 0


if __name__ == "__main__":
    sys.exit(main())
