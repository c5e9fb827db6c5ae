"""A stolen ID token whose sign-in is old takes no account over, in any order of calls.

Five minutes are waited for at full length. Shortened, the token's sign-in is made old by a clock that runs ahead, where a C
compiler is found.
"""

import itertools
import time

import clock
from house import is_signed_in

TOO_OLD = "CREDENTIAL_TOO_OLD_LOGIN_AGAIN"
PASSWORD = "hunter22"


def run(server, full):
    running = server.start()
    signed = running.client().call("signUp", {"email": "a@x.com", "password": PASSWORD})
    assert is_signed_in(signed), signed
    if full:
        time.sleep(301)
    else:
        running.stop()
        running = server.start(env=clock.ahead(server.folder, 400))
    client = running.client()
    refreshed = client.call("token", {"grantType": "refresh_token", "refreshToken": signed["refreshToken"]})
    token = refreshed["id_token"]
    steps = [
        ("update", {"deleteProvider": ["password"]}),
        ("update", {"deleteAttribute": ["EMAIL", "PASSWORD"]}),
        ("signUp", {"email": "evil@x.com", "password": "evil2222"}),
        ("signUp", {"email": "a@x.com", "password": "evil2222"}),
        ("update", {"password": "evil2222"}),
        ("update", {"email": "evil@x.com"}),
        ("sendOobCode", {"requestType": "VERIFY_AND_CHANGE_EMAIL", "newEmail": "evil@x.com"}),
        ("delete", {}),
    ]
    tried = 0
    for order in itertools.permutations(steps, 3):
        for verb, body in order:
            answer = client.call(verb, {"idToken": token, **body})
            assert answer == TOO_OLD, f"{verb} {body} was answered {answer}"
            tried += 1
    ended = client.call("update", {"idToken": token, "validSince": "1"})
    answer = client.call("update", {"idToken": ended["idToken"], "password": "evil2222"})
    assert answer == TOO_OLD, f"ending sessions makes a sign-in recent: {answer}"
    assert is_signed_in(client.sign_in("a@x.com", PASSWORD)), "the owner's password no longer works"
    return f"{tried} of {tried} changes refused"
