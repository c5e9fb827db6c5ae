"""Cloud Storage with `firebase_admin.storage` and Google's client for Python."""

import os
import uuid

import pytest
from firebase_admin import credentials, initialize_app, storage
from google.api_core import exceptions as google
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

LARGE = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def bucket(partner_api):
    host = f"http://127.0.0.1:{partner_api.ready['ports']['storage']}"
    os.environ["STORAGE_EMULATOR_HOST"] = host
    client = Client(project=partner_api.project, credentials=AnonymousCredentials(), client_options={"api_endpoint": host})
    return client.bucket(f"{partner_api.project}.appspot.com")


class Nobody(credentials.Base):
    """Shows nothing: in dev that is an administrator to Cloud Storage's own API."""

    def get_credential(self):
        return AnonymousCredentials()


def name():
    return f"python/{uuid.uuid4()} ä+"


def test_the_admin_sdk_reaches_its_bucket(partner_api, bucket):
    app = initialize_app(Nobody(), options={"projectId": partner_api.project, "storageBucket": bucket.name}, name=str(uuid.uuid4()))
    blob = storage.bucket(app=app).blob(name())
    blob.upload_from_string("hello", content_type="text/plain")
    assert bucket.get_blob(blob.name).content_type == "text/plain"
    assert blob.download_as_bytes() == b"hello"
    blob.delete()
    assert not blob.exists()


def test_large_objects_come_in_chunks_and_go_in_ranges(bucket):
    blob = bucket.blob(name(), chunk_size=256 * 1024)
    blob.upload_from_string(LARGE)
    assert blob.download_as_bytes(checksum="crc32c") == LARGE
    assert blob.download_as_bytes(start=10, end=19) == LARGE[10:20]
    with blob.open("rb") as file:
        file.seek(1 << 20)
        assert file.read(5) == LARGE[1 << 20 : (1 << 20) + 5]


def test_metadata_preconditions_and_generations(bucket):
    blob = bucket.blob(name())
    blob.metadata = {"k": "v"}
    blob.upload_from_string("one", if_generation_match=0)
    with pytest.raises(google.PreconditionFailed):
        blob.upload_from_string("two", if_generation_match=0)
    blob.metadata = {"k": None, "l": "w"}
    blob.cache_control = "no-store"
    blob.patch()
    again = bucket.get_blob(blob.name)
    assert (again.metadata, again.cache_control, again.metageneration) == ({"l": "w"}, "no-store", 2)


def test_copies_compositions_rewrites_and_lists(bucket):
    folder = name()
    one, two = bucket.blob(f"{folder}/1"), bucket.blob(f"{folder}/in/2")
    one.upload_from_string("one ")
    two.upload_from_string("two")
    both = bucket.blob(f"{folder}/both")
    both.compose([one, two])
    assert both.download_as_bytes() == b"one two"
    bucket.copy_blob(both, bucket, f"{folder}/copy")
    assert bucket.blob(f"{folder}/rewritten").rewrite(both)[0] is None
    bucket.rename_blob(one, f"{folder}/renamed")
    listed = bucket.list_blobs(prefix=f"{folder}/", delimiter="/")
    assert [blob.name.removeprefix(f"{folder}/") for blob in listed] == ["both", "copy", "renamed", "rewritten"]
    assert listed.prefixes == {f"{folder}/in/"}
    globbed = bucket.list_blobs(match_glob=f"{folder}/**2", fields="items(name),nextPageToken")
    assert [blob.name for blob in globbed] == [two.name]


def test_buckets(bucket):
    made = bucket.client.create_bucket(f"b-{uuid.uuid4()}")
    made.labels = {"a": "b"}
    made.patch()
    assert bucket.client.get_bucket(made.name).labels == {"a": "b"}
    assert made.name in [found.name for found in bucket.client.list_buckets()]
    made.blob("x").upload_from_string("x")
    with pytest.raises(google.Conflict):
        made.delete()
    made.delete(force=True)
    with pytest.raises(google.NotFound):
        bucket.client.get_bucket(made.name)
