"""A write with the clock a day ahead: tokens live an hour still, exchanges go on, revocations revoke, and it is said."""

import base64
import json
import shutil
import subprocess
import tempfile
import time

from house import IDENTITY, PROJECT, Missing, is_signed_in

DAY_S = 86_400
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    static long ahead;
    if (!real) {
        const char *text = getenv("CLOCK_AHEAD_S");
        ahead = text ? atol(text) : 0;
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    }
    int outcome = real(id, at);
    if (outcome == 0 && id == CLOCK_REALTIME) at->tv_sec += ahead;
    return outcome;
}
"""


def ahead(folder, seconds):
    """Variables that put a process's clock ahead."""
    library = folder / "clock.so"
    if not library.exists():
        compiler = shutil.which("cc")
        if not compiler:
            raise Missing("there is no C compiler to make a clock that runs ahead")
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-o", str(library), "-", "-ldl"]
        subprocess.run(command, input=SHIM, text=True, check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_AHEAD_S": str(seconds)}


def run(server, full):
    key = server.service_account()
    running = server.start()
    assert is_signed_in(running.client().call("signUp", {"email": "a@x.com", "password": "hunter22"}))
    running.stop()
    running = server.start(env=ahead(server.folder, DAY_S))
    stray = running.client().call("signUp", {"email": "b@x.com", "password": "hunter22"})
    assert claims(stray["idToken"])["iat"] > time.time() + DAY_S / 2, "the clock did not run ahead"
    running.stop()

    running = server.start()
    client = running.client()
    signed = client.sign_in("a@x.com", "hunter22")
    said = claims(signed["idToken"])
    assert said["exp"] - said["iat"] == 3600 and abs(said["iat"] - time.time()) < 30, said
    assert said["auth_time"] == said["iat"], said
    bearer = exchange(client, key)
    answer = client.call("lookup", {"idToken": stray["idToken"]})
    assert answer == "INVALID_ID_TOKEN", f"a token of the day ahead is answered {answer}"
    for user in (signed, stray):
        revoked = {"localId": user["localId"], "validSince": int(time.time()) + 1}
        status, answer = client.ask(
            "POST", f"{IDENTITY}/v1/projects/{PROJECT}/accounts:update", revoked, {"Authorization": f"Bearer {bearer}"}
        )
        assert status == 200, answer
        answer = client.call("token", {"grantType": "refresh_token", "refreshToken": user["refreshToken"]})
        assert answer == "TOKEN_EXPIRED", f"a revoked session is answered {answer}"
    answer = client.call("lookup", {"idToken": signed["idToken"]})
    assert answer == "TOKEN_EXPIRED", f"a revoked token is answered {answer}"
    time.sleep(1.2)
    assert is_signed_in(client.sign_in("b@x.com", "hunter22"))
    running.stop()
    assert "behind the newest commit" in server.said(), "the clock's jump is not said"
    return f"tokens live {said['exp'] - said['iat']} s; the exchange, two revocations and the warning hold"


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def exchange(client, key):
    """An access token for a service account, by its key."""
    openssl = shutil.which("openssl")
    if not openssl:
        raise Missing("openssl is not installed")
    encode = lambda data: base64.urlsafe_b64encode(data).decode().rstrip("=")
    now = int(time.time())
    told = {"iss": key["client_email"], "sub": key["client_email"], "scope": "x", "iat": now, "exp": now + 3600}
    told["aud"] = "https://oauth2.googleapis.com/token"
    header = {"alg": "RS256", "typ": "JWT", "kid": key["private_key_id"]}
    text = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(told).encode())}"
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(key["private_key"])
        file.flush()
        command = [openssl, "dgst", "-sha256", "-sign", file.name]
        signature = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    form = f"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={text}.{encode(signature)}"
    status, answer = client.ask("POST", "/oauth2.googleapis.com/token", form)
    assert status == 200, f"an exchange is refused: {answer}"
    return answer["access_token"]
