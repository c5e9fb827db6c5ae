"""Gives a business partner an account and a role, then acts as that partner.

    (cd functions && npm install)          # once
    hearth dev examples/partner-api        # in one terminal
    python partner.py                      # in another

The Admin SDK is used as it comes from PyPI. The partner has no SDK at all: it signs in and calls Firestore over HTTP, as a
foreign system would.
"""

import os
import sys
import time

os.environ.setdefault("FIREBASE_AUTH_EMULATOR_HOST", "127.0.0.1:9099")
os.environ.setdefault("FIRESTORE_EMULATOR_HOST", "127.0.0.1:8080")
FUNCTIONS = os.environ.setdefault("FUNCTIONS_EMULATOR_HOST", "127.0.0.1:5001")
PROJECT = os.environ.setdefault("GOOGLE_CLOUD_PROJECT", "demo-partner-api")

import firebase_admin
import requests
from firebase_admin import auth, firestore


# Give role of "partner"
def set_custom_user_claims(uid):
    try:
        # Set custom user claims
        auth.set_custom_user_claims(uid, {'role': 'partner'})
        print(f'Custom claims set for user {uid}')
    except Exception as error:
        print(f'Error setting custom claims: {error}')


def sign_in(email, password):
    """Signs in as a client does and returns the ID token."""
    host = os.environ["FIREBASE_AUTH_EMULATOR_HOST"]
    answer = requests.post(
        f"http://{host}/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=any",
        json={"email": email, "password": password, "returnSecureToken": True},
        timeout=10,
    )
    answer.raise_for_status()
    return answer.json()["idToken"]


class Collection:
    """`your_collection` over Firestore's REST interface, in the name of whoever holds the token."""

    def __init__(self, token):
        host = os.environ["FIRESTORE_EMULATOR_HOST"]
        self.url = f"http://{host}/v1/projects/{PROJECT}/databases/(default)/documents/your_collection"
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def read(self, document):
        return requests.get(f"{self.url}/{document}", headers=self.headers, timeout=10).status_code

    def list(self):
        return requests.get(self.url, headers=self.headers, timeout=10).status_code

    def create(self, document, amount):
        body = {"fields": {"amount": {"integerValue": str(amount)}}}
        return requests.post(
            f"{self.url}?documentId={document}", json=body, headers=self.headers, timeout=10
        ).status_code

    def update(self, document, amount):
        body = {"fields": {"amount": {"integerValue": str(amount)}}}
        return requests.patch(f"{self.url}/{document}", json=body, headers=self.headers, timeout=10).status_code

    def delete(self, document):
        return requests.delete(f"{self.url}/{document}", headers=self.headers, timeout=10).status_code


def fetch_data(token=None, method="POST"):
    """Calls the endpoint as a foreign system does. Returns the HTTP status and the answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"http://{FUNCTIONS}/{PROJECT}/us-central1/fetchData"
    answer = requests.request(method, url, headers=headers, timeout=30)
    return answer.status_code, answer.text


def main():
    firebase_admin.initialize_app(options={"projectId": PROJECT})
    unique = str(time.time_ns())
    invoice = f"invoice-{unique}"
    email, password = f"partner-{unique}@example.com", "a long password"
    user = auth.create_user(email=email, password=password)

    firestore.client().collection("demo").document("invoice").set({"name": "Invoice 17"})

    without_role = sign_in(email, password)
    before = Collection(without_role)
    print(f"without the role: create {before.create(invoice, 100)}, list {before.list()}")

    set_custom_user_claims(user.uid)
    token = sign_in(email, password)
    partner = Collection(token)
    outcomes = {
        "create": partner.create(invoice, 100),
        "read": partner.read(invoice),
        "list": partner.list(),
        "update": partner.update(invoice, 1),
        "delete": partner.delete(invoice),
    }
    print("with the role: " + ", ".join(f"{verb} {status}" for verb, status in outcomes.items()))
    print(f"signed out: list {Collection(None).list()}")

    calls = {
        "with the role": fetch_data(token),
        "by GET": fetch_data(token, method="GET"),
        "without the role": fetch_data(without_role),
        "signed out": fetch_data(),
        "with a forged token": fetch_data("forged"),
    }
    for who, (status, text) in calls.items():
        print(f"fetchData {who}: {status} {text[:200]}")
    statuses = [status for status, _ in calls.values()]

    expected = {"create": 200, "read": 200, "list": 200, "update": 403, "delete": 403}
    return 0 if outcomes == expected and statuses == [200, 403, 403, 403, 401] else 1


if __name__ == "__main__":
    sys.exit(main())
