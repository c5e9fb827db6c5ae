"""The Admin SDK for Python: users over HTTP, documents over gRPC."""

import datetime
import time
import uuid

import pytest
from firebase_admin import auth, exceptions
from google.api_core import exceptions as google
from google.cloud.firestore import SERVER_TIMESTAMP, ArrayUnion, Client, FieldFilter, Increment, transactional

PASSWORD = "a long password"


@pytest.fixture
def app(partner_api):
    return partner_api.app


@pytest.fixture(scope="module")
def db(partner_api):
    return Client(project=partner_api.project)


@pytest.fixture
def items(db):
    return db.collection("docs").document(str(uuid.uuid4())).collection("items")


def address():
    return f"user-{uuid.uuid4()}@example.com"


def test_users_are_made_found_changed_and_deleted(app):
    email = address()
    user = auth.create_user(email=email, display_name="Maria", password=PASSWORD, app=app)
    assert auth.get_user_by_email(email, app=app).uid == user.uid
    assert auth.update_user(user.uid, display_name=auth.DELETE_ATTRIBUTE, disabled=True, app=app).disabled
    assert user.uid in {found.uid for found in auth.list_users(app=app).iterate_all()}
    auth.delete_user(user.uid, app=app)
    with pytest.raises(auth.UserNotFoundError):
        auth.get_user(user.uid, app=app)
    with pytest.raises(auth.UserNotFoundError):
        auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=app)


def test_what_is_taken_is_refused(app):
    user = auth.create_user(email=address(), app=app)
    with pytest.raises(auth.EmailAlreadyExistsError):
        auth.create_user(email=user.email, app=app)
    with pytest.raises(auth.UidAlreadyExistsError):
        auth.create_user(uid=user.uid, app=app)


@pytest.mark.parametrize("claims", [{"sub": "boss"}, {"firebase": {}}, {"key": "x" * 1000}])
def test_bad_claims_are_refused(app, claims):
    user = auth.create_user(app=app)
    with pytest.raises((ValueError, exceptions.FirebaseError)):
        auth.set_custom_user_claims(user.uid, claims, app=app)
    assert not auth.get_user(user.uid, app=app).custom_claims


def test_claims_replace_and_clear(app):
    user = auth.create_user(app=app)
    auth.set_custom_user_claims(user.uid, {"a": 1, "b": [1, {"c": None}]}, app=app)
    auth.set_custom_user_claims(user.uid, {"b": 2}, app=app)
    assert auth.get_user(user.uid, app=app).custom_claims == {"b": 2}
    auth.set_custom_user_claims(user.uid, None, app=app)
    assert not auth.get_user(user.uid, app=app).custom_claims


def test_tokens_carry_claims_and_are_revoked(partner_api, app):
    user = auth.create_user(email=address(), password=PASSWORD, app=app)
    auth.set_custom_user_claims(user.uid, {"role": "partner"}, app=app)
    token = partner_api.sign_in(user.email, PASSWORD)
    assert auth.verify_id_token(token, app=app)["role"] == "partner"
    cookie = auth.create_session_cookie(token, datetime.timedelta(minutes=5), app=app)
    assert auth.verify_session_cookie(cookie, app=app)["uid"] == user.uid
    time.sleep(1.1)
    auth.revoke_refresh_tokens(user.uid, app=app)
    with pytest.raises(auth.RevokedIdTokenError):
        auth.verify_id_token(token, check_revoked=True, app=app)


def test_documents_come_back_as_they_went(items):
    when = datetime.datetime(2024, 2, 29, 12, 30, 1, 250_000, tzinfo=datetime.timezone.utc)
    value = {"n": 1, "d": 1.5, "s": "grüße 🔥", "t": when, "b": b"\x00\xff", "l": [1, None], "m": {"a": {"b": True}}}
    items.document("x").set(value)
    assert items.document("x").get().to_dict() == value
    with pytest.raises(google.AlreadyExists):
        items.document("x").create({})
    with pytest.raises(google.NotFound):
        items.document("missing").update({"a": 1})
    items.document("x").delete()
    assert not items.document("x").get().exists


def test_transforms(items):
    ref = items.document("x")
    ref.set({"n": 1, "l": ["a"], "at": SERVER_TIMESTAMP})
    ref.update({"n": Increment(2), "l": ArrayUnion(["a", "b"])})
    found = ref.get().to_dict()
    assert (found["n"], found["l"]) == (3, ["a", "b"])
    assert abs(found["at"].timestamp() - time.time()) < 60


def test_queries(items):
    for name, n, tag in (("a", 3, "red"), ("b", 1, "blue"), ("c", 2, "red")):
        items.document(name).set({"n": n, "tag": tag})
    names = lambda query: [found.id for found in query.stream()]
    assert names(items.order_by("n")) == ["b", "c", "a"]
    assert names(items.order_by("n", direction="DESCENDING").limit(2)) == ["a", "c"]
    assert names(items.where(filter=FieldFilter("tag", "==", "red")).where(filter=FieldFilter("n", ">", 2))) == ["a"]
    assert names(items.where(filter=FieldFilter("n", "in", [1, 2])).order_by("n")) == ["b", "c"]
    assert names(items.order_by("n").start_after({"n": 1}).end_at({"n": 2})) == ["c"]
    assert items.count().get()[0][0].value == 3
    assert items.sum("n").get()[0][0].value == 6


def test_batches_and_transactions(db, items):
    batch = db.batch()
    batch.set(items.document("x"), {"n": 1})
    batch.set(items.document("y"), {"n": 1})
    assert len(batch.commit()) == 2

    @transactional
    def move(transaction):
        n = items.document("x").get(transaction=transaction).get("n")
        transaction.update(items.document("x"), {"n": n - 1})
        transaction.update(items.document("y"), {"n": n + 1})

    move(db.transaction())
    assert [found.get("n") for found in items.order_by("n").stream()] == [0, 2]
