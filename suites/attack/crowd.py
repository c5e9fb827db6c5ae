"""Many come at once with the right password, or with one refresh token: all get in."""

import threading

from house import is_signed_in

PASSWORD = "hunter22"


def run(server, full):
    rounds = 10 if full else 2
    running = server.start()
    signed = running.client().call("signUp", {"email": "a@x.com", "password": PASSWORD})
    refresh = {"grantType": "refresh_token", "refreshToken": signed["refreshToken"]}
    sign_ins, refreshes = [], []
    for _ in range(rounds):
        sign_ins += at_once(16, lambda: is_signed_in(running.client().sign_in("a@x.com", PASSWORD)))
        refreshes += at_once(32, lambda: isinstance(running.client().call("token", refresh), dict))
    assert all(sign_ins), f"{sign_ins.count(False)} of {len(sign_ins)} sign-ins of one account failed"
    assert all(refreshes), f"{refreshes.count(False)} of {len(refreshes)} refreshes of one token failed"
    return f"{len(sign_ins)} sign-ins and {len(refreshes)} refreshes, 16 and 32 at once, all good"


def at_once(count, ask):
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(ask())) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes + [False] * (count - len(outcomes))
