"""Nobody learns which addresses have an account: same answers, same times.

Signing up is left out: it says EMAIL_EXISTS, as production does.
"""

import statistics
import time

from house import IDENTITY, PROJECT

PASSWORD = "hunter22"


def run(server, full):
    rounds = 40 if full else 10
    running = server.start("--sign-ups-per-hour", "0")
    client = running.client("127.0.0.9")
    known = [f"known{n}@x.com" for n in range(4)]
    for email in known:
        client.call("signUp", {"email": email, "password": PASSWORD})
    signed = client.call("signUp", {"email": "me@x.com", "password": PASSWORD})
    compared, differences = 0, []
    for name, body in (
        ("sendOobCode", lambda email: {"requestType": "PASSWORD_RESET", "email": email}),
        ("sendOobCode", lambda email: {"requestType": "EMAIL_SIGNIN", "email": email}),
        ("sendOobCode", lambda email: {"requestType": "VERIFY_AND_CHANGE_EMAIL", "idToken": signed["idToken"], "newEmail": email}),
        ("update", lambda email: {"idToken": signed["idToken"], "email": email}),
        ("createAuthUri", lambda email: {"identifier": email, "continueUri": "http://localhost"}),
        ("signUp", lambda email: {"email": email, "password": "short"}),
        ("signUp", lambda email: {"idToken": signed["idToken"], "email": email, "password": PASSWORD}),
        ("signInWithPassword", lambda email: {"email": email, "password": "wrong222"}),
    ):
        times = ([], [])
        for turn in range(rounds):
            answers = []
            for group, email in enumerate((known[turn % 4], f"unknown{turn}@x.com")):
                # A guesser's address of its own each time: what is counted of it must not make the difference.
                asker = running.client(f"127.1.{turn}.{group + 1}") if name == "signInWithPassword" else client
                path = f"{IDENTITY}/v1/accounts:{name}?key=k"
                begun = time.monotonic()
                status, answer = asker.ask("POST", path, body(email))
                times[group].append(time.monotonic() - begun)
                answers.append((status, scrubbed(answer, email)))
            assert answers[0] == answers[1], f"{name} {body('…')}: {answers[0]} for a known address, {answers[1]} else"
            compared += 1
        known_s, unknown_s = map(statistics.median, times)
        differences.append(abs(known_s - unknown_s))
        assert differences[-1] < max(0.35 * max(known_s, unknown_s), 0.004), (
            f"{name} {body('…')}: {known_s * 1000:.1f} ms for a known address, {unknown_s * 1000:.1f} ms else"
        )
    return f"{compared} pairs of answers equal; medians differ by at most {max(differences) * 1000:.1f} ms"


def scrubbed(answer, email):
    if isinstance(answer, dict):
        return {name: scrubbed(value, email) for name, value in answer.items() if name != "sessionId"}
    return "(the address)" if answer == email else answer
