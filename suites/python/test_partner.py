"""The story of examples/partner-api: a role granted from Python, and what the rules make of it."""

import json
import os
import subprocess
import sys
import time
import uuid

import pytest
from firebase_admin import auth

from conftest import REPOSITORY, start

PASSWORD = "a long password"
FIELDS = {"json": {"fields": {"amount": {"integerValue": "100"}}}}
CREATE, READ, LIST, UPDATE, DELETE = "create", "read", "list", "update", "delete"


def new_user(hearth):
    email = f"partner-{uuid.uuid4()}@example.com"
    return auth.create_user(email=email, password=PASSWORD, app=hearth.app)


def outcomes(hearth, token):
    """The HTTP status of each verb on `your_collection`, on a document of the test's own."""
    name = f"invoice-{uuid.uuid4()}"
    seeded = hearth.rest("PATCH", f"your_collection/{name}-seeded", "owner", **FIELDS)
    assert seeded.status_code == 200, seeded.text
    return {
        CREATE: hearth.rest("POST", f"your_collection?documentId={name}", token, **FIELDS).status_code,
        READ: hearth.rest("GET", f"your_collection/{name}-seeded", token).status_code,
        LIST: hearth.rest("GET", "your_collection", token).status_code,
        UPDATE: hearth.rest("PATCH", f"your_collection/{name}-seeded", token, **FIELDS).status_code,
        DELETE: hearth.rest("DELETE", f"your_collection/{name}-seeded", token).status_code,
    }


NOTHING = {CREATE: 403, READ: 403, LIST: 403, UPDATE: 403, DELETE: 403}
PARTNER = {CREATE: 200, READ: 200, LIST: 200, UPDATE: 403, DELETE: 403}


def test_without_the_role_nothing_is_allowed(partner_api):
    user = new_user(partner_api)
    assert outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD)) == NOTHING
    assert outcomes(partner_api, None) == NOTHING


def test_with_the_role_create_and_read_are(partner_api):
    user = new_user(partner_api)
    before = partner_api.sign_in(user.email, PASSWORD)
    auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=partner_api.app)
    assert outcomes(partner_api, before) == NOTHING, "the token of before does not carry the role"
    assert outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD)) == PARTNER


@pytest.mark.parametrize("claims", [{"role": "Partner"}, {"role": ["partner"]}, {"role": True}, {"roles": "partner"}])
def test_another_role_is_no_partner(partner_api, claims):
    user = new_user(partner_api)
    auth.set_custom_user_claims(user.uid, claims, app=partner_api.app)
    assert outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD)) == NOTHING


def test_the_role_taken_back(partner_api):
    user = new_user(partner_api)
    auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=partner_api.app)
    auth.set_custom_user_claims(user.uid, None, app=partner_api.app)
    assert outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD)) == NOTHING


def test_the_script_of_the_example_runs(partner_api):
    environment = {
        **os.environ,
        "FIREBASE_AUTH_EMULATOR_HOST": partner_api.auth,
        "FIRESTORE_EMULATOR_HOST": partner_api.firestore,
        "FUNCTIONS_EMULATOR_HOST": f"127.0.0.1:{partner_api.ready['ports']['functions']}",
        "GOOGLE_CLOUD_PROJECT": partner_api.project,
    }
    script = REPOSITORY / "examples/partner-api/partner.py"
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "with the role: create 200, read 200, list 200, update 403, delete 403" in done.stdout


@pytest.mark.hearth
def test_the_log_tells_what_a_partner_did_and_by_which_rule(partner_api):
    user = new_user(partner_api)
    auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=partner_api.app)
    outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD))
    question = ("--who", user.uid, "--path", "/your_collection/**", "--service", "firestore")
    until = time.monotonic() + 5
    while len(events := partner_api.log(*question)) < 5 and time.monotonic() < until:
        time.sleep(0.05)
    verdicts = {event["method"]: (event["verdict"], event.get("rule", "")) for event in events}
    assert verdicts["create"][0] == "allow" and verdicts["create"][1].startswith("firestore.rules:13:")
    assert verdicts["get"][0] == "allow" and verdicts["get"][1].startswith("firestore.rules:14:")
    assert verdicts["update"][0] == "deny"
    assert verdicts["delete"][0] == "deny"


@pytest.mark.hearth
def test_the_rule_as_printed_refuses_even_partners_and_is_warned_of(partner_api, tmp_path):
    (tmp_path / "firebase.json").write_text(json.dumps({"firestore": {"rules": "seed-verbatim.rules"}}))
    verbatim = (REPOSITORY / "examples/partner-api/seed-verbatim.rules").read_text()
    (tmp_path / "seed-verbatim.rules").write_text(verbatim)
    hearth = start(tmp_path, "--ephemeral")
    try:
        line = 1 + verbatim[: verbatim.index("exists(")].count("\n")
        warnings = [found for found in hearth.ready["warnings"] if found["line"] == line]
        assert warnings and warnings[0]["file"] == "seed-verbatim.rules"
        assert "'role' in request.auth.token" in warnings[0]["help"]
        user = new_user(hearth)
        auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=hearth.app)
        assert outcomes(hearth, hearth.sign_in(user.email, PASSWORD)) == NOTHING
    finally:
        hearth.stop()


def test_the_rule_as_printed_refuses_everybody(partner_api):
    rules = REPOSITORY / "examples/partner-api"
    partner_api.put_rules((rules / "seed-verbatim.rules").read_text())
    try:
        user = new_user(partner_api)
        auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=partner_api.app)
        assert outcomes(partner_api, partner_api.sign_in(user.email, PASSWORD)) == NOTHING
        assert outcomes(partner_api, None) == NOTHING
    finally:
        partner_api.put_rules((rules / "firestore.rules").read_text())
