"""A web page from elsewhere, open in the developer's browser, reads and deletes what `hearth dev` has."""

import http.client

ROOT = "/v1/projects/demo-attack/databases/(default)/documents"
RULES = '{"rules": {"files": [{"name": "r", "content": "service cloud.firestore { match /x { allow read: if false; } }"}]}}'
ACTS = [
    ("firestore", "GET", f"{ROOT}/users", None),
    ("firestore", "DELETE", f"/emulator{ROOT}", None),
    ("firestore", "PUT", "/emulator/v1/projects/demo-attack:securityRules", RULES),
    ("auth", "DELETE", "/emulator/v1/projects/demo-attack/accounts", None),
    ("auth", "GET", "/emulator/v1/projects/demo-attack/oobCodes", None),
    ("auth", "POST", "/identitytoolkit.googleapis.com/v1/projects/demo-attack/accounts:query", "{}"),
]
PAGES = [
    {"Host": "localhost", "Origin": "https://evil.example"},
    {"Host": "localhost", "Origin": "null"},
    {"Host": "evil.example"},
    {"Host": "evil.example", "Origin": "http://evil.example"},
]


def run(server, full):
    running = server.start("--ports", "all=0", verb="dev")
    asked = 0
    for service, method, path, body in ACTS:
        for page in PAGES:
            status, text = ask(running.ready["ports"][service], method, path, body, page)
            assert status == 403 and "header" in text, f"{method} {path} as {page}: {status} {text[:200]}"
            asked += 1
    for page in ({"Host": "localhost"}, {"Host": "127.0.0.1", "Origin": "http://localhost:5173"}):
        for service, method, path, body in ACTS:
            status, text = ask(running.ready["ports"][service], method, path, body, page)
            assert status == 200, f"{method} {path} as {page}: {status} {text[:200]}"
    return f"{asked} acts of foreign pages refused; those of localhost go on"


def ask(port, method, path, body, headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {"Authorization": "Bearer owner", **headers})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()
