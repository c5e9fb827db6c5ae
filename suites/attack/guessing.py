"""Passwords are guessed over 80 connections (6 accounts in turn): guesses are few, neighbours sign in and read.

The guesses stop counting after a handful, also when the server is restarted and when they pretend to come from elsewhere. Accounts
that nobody attacks sign in meanwhile, from the attacker's own address too.
"""

import threading
import time

from house import is_signed_in

TOO_MANY = "TOO_MANY_ATTEMPTS_TRY_LATER"
PASSWORD = "hunter22"
CONNECTIONS = 80


def run(server, full):
    seconds = 30 if full else 4
    running = server.start()
    home = running.client("127.0.0.2")
    for name in ("victim", "owner", "near"):
        assert is_signed_in(home.call("signUp", {"email": f"{name}@x.com", "password": PASSWORD}))
    for name in ("owner", "victim"):
        assert is_signed_in(home.sign_in(f"{name}@x.com", PASSWORD))
    assert is_signed_in(running.client().sign_in("near@x.com", PASSWORD))
    quiet = percentile([timed_read(home) for _ in range(100)])

    over, heard, said = threading.Event(), [], []

    def guess(n):
        client = running.client()
        number = 0
        while not over.is_set():
            email = "victim@x.com" if n % 2 == 0 else f"nobody{n % 12}@x.com"
            answer = client.sign_in(email, f"guess{n}-{number}", {"X-Forwarded-For": f"10.0.{n}.{number % 250}"})
            number += 1
            said.append(answer)
            if answer == "INVALID_LOGIN_CREDENTIALS":
                heard.append(email)
            else:
                time.sleep(0.02)

    guessers = [threading.Thread(target=guess, args=(n,), daemon=True) for n in range(CONNECTIONS)]
    for guesser in guessers:
        guesser.start()
    time.sleep(0.5)
    good, tried, waits, reads = 0, 0, [], []
    until = time.monotonic() + seconds
    near = running.client()
    while time.monotonic() < until:
        for client, email in ((home, "owner@x.com"), (near, "near@x.com"), (home, "victim@x.com")):
            begun = time.monotonic()
            good += is_signed_in(client.sign_in(email, PASSWORD))
            waits.append(time.monotonic() - begun)
            tried += 1
            reads += [timed_read(home) for _ in range(10)]
    over.set()
    for guesser in guessers:
        guesser.join(60)
    at_once = heard.count("victim@x.com")
    assert good == tried, f"only {good} of {tried} real sign-ins worked"
    assert at_once <= 6, f"{at_once} guesses of one account were tried"
    odd = {answer for answer in said if answer not in ("INVALID_LOGIN_CREDENTIALS", TOO_MANY)}
    assert not odd, f"guesses were answered {sorted(map(str, odd))[:3]}"
    assert running.client().sign_in("victim@x.com", PASSWORD) == TOO_MANY, "the right password is taken from the guesser"
    running.stop()
    running = server.start()
    assert running.client().sign_in("victim@x.com", PASSWORD) == TOO_MANY, "a restart forgets"
    assert is_signed_in(running.client("127.0.0.2").sign_in("victim@x.com", PASSWORD)), "the owner is locked out"
    return (
        f"{at_once} of {len(said)} guesses were heard per account; {good} of {tried} real sign-ins, "
        f"p99 {percentile(waits) * 1000:.0f} ms; reads p99 {percentile(reads) * 1000:.0f} ms (quiet {quiet * 1000:.0f})"
    )


def timed_read(client):
    begun = time.monotonic()
    status, _ = client.ask("GET", "/v1/projects/demo-attack/databases/(default)/documents/public/none")
    assert status == 404, status
    return time.monotonic() - begun


def percentile(times, share=0.99):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
