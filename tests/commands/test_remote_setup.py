"""Tests of setting up the bucket, with real servers and with AWS's answers."""

import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commands import remote_setup
from core.errors import UserError
from storage.s3 import Remote, RemoteError, read_config
from tests.conftest import find_free_port

SOURCE = Path(remote_setup.__file__).parents[1]
OWNER = ("owner-of-buckets", "a-long-secret-of-the-owner")
GUEST = ("guest-of-another", "a-long-secret-of-the-guest")
CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = s3://a-bucket/dvc\n"
REMOTE = Remote("storage", "a-bucket", "dvc")
ARN = "arn:aws:s3:::a-bucket"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Make a DVC repository the current folder; return its local configuration."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(CONFIG.replace("[core]", "[core]\n    no_scm = true"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return tmp_path / ".dvc" / "config.local"


@pytest.fixture
def rclone(s3_server, monkeypatch):
    """Point the AWS chain to the server that knows no settings of buckets."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)


def make_certificate(folder):
    """Write a certificate for loopback, and its key; return the files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *kind))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="session")
def weed(tmp_path_factory):
    """Start a server that knows most settings; return its URLs and its certificate."""
    folder = tmp_path_factory.mktemp("weed")
    certificate, key = make_certificate(folder)
    rights = {"owner": ["Admin", "Read", "Write", "List"], "guest": ["Read:other", "List:other"]}
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": keys[0], "secretKey": keys[1]}],
            "actions": rights[name],
        }
        for name, keys in (("owner", OWNER), ("guest", GUEST))
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    parts = ("master", "volume", "filer", "s3")
    names = [f"{part}.port{kind}" for part in parts for kind in ("", ".grpc")]
    ports = {name: find_free_port() for name in [*names, "s3.port.https"]}
    command = ["weed", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-s3"]
    command += [f"-{name}={port}" for name, port in ports.items()]
    command += [f"-s3.cert.file={certificate}", f"-s3.key.file={key}"]
    command += [f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    environment = {**os.environ, "TMPDIR": str(folder), "WEED_S3_SSE_KEY": "a key for encryption"}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "-master.telemetry=false"], stdout=log, stderr=log, env=environment
        )
    yield {
        "http": f"http://127.0.0.1:{ports['s3.port']}",
        "https": f"https://127.0.0.1:{ports['s3.port.https']}",
        "certificate": str(certificate),
    }
    server.kill()
    server.wait()
    for port in ports.values():
        for left in Path(tempfile.gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
            left.unlink()


@pytest.fixture
def ask(weed):
    """Return a function that gives a client of the owner's for a URL of the server's."""
    with contextlib.ExitStack() as stack:

        def connect(scheme, keys=OWNER):
            client = boto3.client(
                "s3",
                endpoint_url=weed[scheme],
                aws_access_key_id=keys[0],
                aws_secret_access_key=keys[1],
                region_name="us-east-1",
                verify=weed["certificate"],
            )
            stack.callback(client.close)
            return client

        client = connect("https")
        deadline = time.monotonic() + 60
        while True:
            try:
                client.list_buckets()
                break
            except (BotoCoreError, ClientError):
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.2)
        yield connect


@pytest.fixture
def seaweed(ask, weed, monkeypatch):
    """Point the AWS chain to that server, over TLS; return the function that asks it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", weed["https"])
    monkeypatch.setenv("AWS_CA_BUNDLE", weed["certificate"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OWNER[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OWNER[1])
    return ask


def set_up(name, *arguments):
    remote_setup.main([f"--bucket=s3://{name}/dvc", *arguments])


def read_url(local):
    return read_config(local).get('remote "storage"', "url", fallback=None)


@pytest.mark.usefixtures("rclone")
def test_a_server_that_lacks_everything_is_refused(checkout, capsys):
    names = "public access, versioning, encryption at rest, incomplete uploads, plain http"
    with pytest.raises(
        ValueError,
        match=f"not possible on this server: {names}: use another one, or add --allow-missing",
    ):
        set_up("refused")
    assert capsys.readouterr().out.splitlines() == [
        "bucket refused: created",
        "public access: not supported by this server",
        "versioning: not supported by this server",
        "encryption at rest: not supported by this server",
        "incomplete uploads: not supported by this server",
        "plain http: not refused, because this server is reached over plain http",
    ]
    assert not checkout.exists()


@pytest.mark.usefixtures("rclone")
def test_a_server_that_lacks_everything_is_accepted_if_the_user_says_so(checkout, capsys):
    set_up("accepted", "--allow-missing")
    assert read_url(checkout) == "s3://accepted/dvc"
    assert "remote storage: s3://accepted/dvc in .dvc/config.local" in capsys.readouterr().out
    before = checkout.read_bytes()
    set_up("accepted", "--allow-missing")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "bucket accepted: there already"
    assert lines[-2] == "remote storage: s3://accepted/dvc already in .dvc/config.local"
    assert lines[-1] == "nothing had to be changed"
    assert checkout.read_bytes() == before


@pytest.mark.usefixtures("rclone")
def test_without_a_bucket_that_of_the_default_remote_is_set_up(checkout, capsys):
    remote_setup.main(["--allow-missing"])
    assert capsys.readouterr().out.startswith("bucket a-bucket: created\n")
    assert read_url(checkout) == "s3://a-bucket/dvc"


@pytest.mark.usefixtures("rclone")
def test_other_local_settings_stay(checkout):
    checkout.write_text("['remote \"storage\"']\n    jobs = 3\n[cache]\n    type = copy\n")
    set_up("stay", "--allow-missing")
    assert read_url(checkout) == "s3://stay/dvc"
    config = read_config(checkout)
    assert config.get('remote "storage"', "jobs") == "3"
    assert config.get("cache", "type") == "copy"


SEAWEED_LINES = [
    "public access: not supported by this server",
    "versioning: {}enabled",
    "encryption at rest: {}enabled",
    "incomplete uploads: {}aborted",
    "plain http: {}refused",
]


def test_a_server_that_has_the_settings_gets_them_once(checkout, seaweed, capsys):
    with pytest.raises(ValueError, match="not possible on this server: public access: use another"):
        set_up("mine")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["bucket mine: created", *(line.format("") for line in SEAWEED_LINES)]
    set_up("mine", "--allow-missing")
    lines = capsys.readouterr().out.splitlines()[:-1]
    again = [line.format("already ") for line in SEAWEED_LINES]
    assert lines == ["bucket mine: there already", *again]
    set_up("mine", "--allow-missing")
    assert capsys.readouterr().out.splitlines()[-1] == "nothing had to be changed"
    assert read_url(checkout) == "s3://mine/dvc"
    policy = json.loads(seaweed("https").get_bucket_policy(Bucket="mine")["Policy"])
    assert len(policy["Statement"]) == 1


@pytest.mark.usefixtures("checkout")
def test_the_settings_have_an_effect(seaweed):
    set_up("effective", "--allow-missing")
    client = seaweed("https")
    for body in (b"first", b"second"):
        client.put_object(Bucket="effective", Key="a", Body=body)
    client.delete_object(Bucket="effective", Key="a")
    listed = client.list_object_versions(Bucket="effective")
    assert len(listed["Versions"]) == 2
    with pytest.raises(ClientError, match="AccessDenied"):
        seaweed("http").list_objects_v2(Bucket="effective")
    rules = client.get_bucket_lifecycle_configuration(Bucket="effective")["Rules"]
    assert [rule["AbortIncompleteMultipartUpload"] for rule in rules] == [
        {"DaysAfterInitiation": 7}
    ]
    found = client.get_bucket_encryption(Bucket="effective")["ServerSideEncryptionConfiguration"]
    rule = found["Rules"][0]["ApplyServerSideEncryptionByDefault"]
    assert rule["SSEAlgorithm"] == "AES256"


@pytest.mark.slow
@pytest.mark.usefixtures("seaweed")
def test_dvc_can_use_the_bucket(checkout):
    set_up("usable", "--allow-missing")
    data = checkout.parents[1] / "data"
    data.write_bytes(b"some bytes")
    dvc = [sys.executable, "-m", "dvc"]
    subprocess.run([*dvc, "add", "data"], check=True)
    subprocess.run([*dvc, "push"], check=True)
    shutil.rmtree(checkout.parent / "cache")
    data.unlink()
    subprocess.run([*dvc, "pull"], check=True)
    assert data.read_bytes() == b"some bytes"


@pytest.mark.usefixtures("checkout")
def test_rules_and_statements_of_others_stay(seaweed):
    client = seaweed("https")
    client.create_bucket(Bucket="shared")
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "old/"}}
    theirs |= {"Expiration": {"Days": 3}}
    client.put_bucket_lifecycle_configuration(
        Bucket="shared", LifecycleConfiguration={"Rules": [theirs]}
    )
    allowed = {"Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}
    allowed |= {"Resource": "arn:aws:s3:::shared/public/*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    client.put_bucket_policy(Bucket="shared", Policy=json.dumps(policy))
    set_up("shared", "--allow-missing")
    rules = client.get_bucket_lifecycle_configuration(Bucket="shared")["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", remote_setup.RULE]
    assert rules[0]["Expiration"] == {"Days": 3}
    policy = json.loads(client.get_bucket_policy(Bucket="shared")["Policy"])
    assert [statement["Effect"] for statement in policy["Statement"]] == ["Allow", "Deny"]


@pytest.mark.usefixtures("checkout")
def test_over_plain_http_nobody_is_locked_out(seaweed, weed, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", weed["http"])
    with pytest.raises(ValueError, match="server: public access, plain http: use another"):
        set_up("plain")
    assert seaweed("http").list_objects_v2(Bucket="plain")["KeyCount"] == 0


@pytest.mark.usefixtures("seaweed")
def test_a_bucket_of_somebody_else_is_reported(checkout, monkeypatch):
    set_up("theirs", "--allow-missing")
    checkout.unlink()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", GUEST[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", GUEST[1])
    with pytest.raises(RemoteError, match="these keys may not do that to the bucket theirs"):
        set_up("theirs", "--allow-missing")
    assert not checkout.exists()


@pytest.mark.usefixtures("rclone", "checkout")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wrong", "the secret is not that of the access key"),
        ("AWS_ACCESS_KEY_ID", "an-unknown-access-key", "the access key is unknown"),
        ("AWS_SECRET_ACCESS_KEY", "", "missing: AWS_SECRET_ACCESS_KEY: fix"),
        ("AWS_PROFILE", "nobody", "The config profile (nobody) could not be found"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "http://127.0.0.1:9 does not answer"),
        ("AWS_ENDPOINT_URL", "nonsense", "Invalid endpoint: nonsense"),
    ],
)
def test_what_goes_wrong_is_one_sentence(checkout, name, value, message):
    run = subprocess.run(
        [sys.executable, SOURCE, "remote_setup"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("remote_setup: ")
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not checkout.exists()


@pytest.mark.usefixtures("rclone", "checkout")
@pytest.mark.parametrize(
    ("url", "message"),
    [("a-bucket/dvc", "not s3://BUCKET/PREFIX"), ("s3://A_b", "A_b is not a valid bucket name")],
)
def test_an_invalid_url_is_reported(url, message):
    with pytest.raises(UserError, match=message):
        remote_setup.main(["--bucket", url])


@pytest.fixture
def aws(monkeypatch):
    """Return a function that has AWS give answers, in a row, to the script's requests."""
    with contextlib.ExitStack() as stack:

        def answer(region, *answers):
            client = boto3.client(
                "s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b"
            )
            stack.callback(client.close)
            stubber = stack.enter_context(Stubber(client))
            for method, response, expected in answers:
                if isinstance(response, str):
                    stubber.add_client_error(method, response, expected_params=expected)
                else:
                    stubber.add_response(method, response, expected)
            monkeypatch.setattr(
                remote_setup, "open_client", lambda _region: contextlib.nullcontext(client)
            )
            return stubber

        yield answer


BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
AES = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
ABORT = {
    "ID": remote_setup.RULE,
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}
REFUSAL = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": [ARN, f"{ARN}/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def test_a_new_bucket_on_aws(checkout, aws, capsys):
    bucket = {"Bucket": "a-bucket"}
    policy = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [REFUSAL]})}
    elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    rules = {"Rules": [ABORT]}
    encrypted = {"ServerSideEncryptionConfiguration": AES}
    blocked = {"PublicAccessBlockConfiguration": BLOCKED}
    enabled = {"Status": "Enabled"}
    stubber = aws(
        "eu-central-1",
        ("list_objects_v2", "NoSuchBucket", {**bucket, "MaxKeys": 1}),
        ("create_bucket", {}, {**bucket, **elsewhere}),
        ("get_public_access_block", blocked, bucket),
        ("get_bucket_versioning", {}, bucket),
        ("put_bucket_versioning", {}, {**bucket, "VersioningConfiguration": enabled}),
        ("get_bucket_versioning", enabled, bucket),
        ("get_bucket_encryption", encrypted, bucket),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration", bucket),
        (
            "put_bucket_lifecycle_configuration",
            {},
            {**bucket, "LifecycleConfiguration": rules},
        ),
        # A moment passes until the rule can be read back.
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration", bucket),
        ("get_bucket_lifecycle_configuration", rules, bucket),
        ("get_bucket_policy", "NoSuchBucketPolicy", bucket),
        ("put_bucket_policy", {}, {**bucket, **policy}),
        ("get_bucket_policy", policy, bucket),
    )
    remote_setup.main(["--region", "eu-central-1"])
    stubber.assert_no_pending_responses()
    assert capsys.readouterr().out.splitlines() == [
        "bucket a-bucket: created",
        "public access: already blocked",
        "versioning: enabled",
        "encryption at rest: already enabled",
        "incomplete uploads: aborted",
        "plain http: refused",
        "remote storage: s3://a-bucket/dvc in .dvc/config.local",
    ]
    assert read_url(checkout) == "s3://a-bucket/dvc"


@pytest.mark.usefixtures("checkout")
def test_in_the_first_region_a_bucket_needs_no_constraint(aws):
    asked = {"Bucket": "a-bucket", "MaxKeys": 1}
    stubber = aws(
        "us-east-1",
        ("list_objects_v2", "NoSuchBucket", asked),
        ("create_bucket", "BucketAlreadyExists", {"Bucket": "a-bucket"}),
    )
    with pytest.raises(RemoteError, match="the bucket a-bucket belongs to someone else"):
        remote_setup.main([])
    stubber.assert_no_pending_responses()


@pytest.mark.usefixtures("checkout")
def test_keys_that_may_not_change_a_setting_are_reported(aws):
    asked = {"Bucket": "a-bucket", "MaxKeys": 1}
    aws(
        "us-east-1",
        ("list_objects_v2", {}, asked),
        ("get_public_access_block", "AccessDenied", {"Bucket": "a-bucket"}),
    )
    with pytest.raises(RemoteError, match="these keys may not do that to the bucket a-bucket"):
        remote_setup.main(["--allow-missing"])


def test_a_setting_without_effect_is_not_supported(aws, monkeypatch):
    monkeypatch.setattr(remote_setup, "SECONDS_TO_TAKE_EFFECT", 0)
    stubber = aws(
        "us-east-1",
        ("get_bucket_versioning", {}, None),
        ("put_bucket_versioning", {}, None),
        ("get_bucket_versioning", {}, None),
    )
    with pytest.raises(NotImplementedError, match="not supported by this server"):
        remote_setup.apply_setting(
            stubber.client, REMOTE, "bucket_versioning", remote_setup.amend_versioning
        )


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [("InternalError", 500, NotImplementedError), ("AccessDenied", 403, ClientError)],
)
def test_encryption_that_lets_nothing_be_stored_is_switched_off(aws, code, status, expected):
    stubber = aws("us-east-1")
    stubber.add_client_error("get_bucket_encryption", remote_setup.NOT_SET[1])
    stubber.add_response("put_bucket_encryption", {})
    stubber.add_response("get_bucket_encryption", {"ServerSideEncryptionConfiguration": AES})
    stubber.add_client_error("put_object", code, http_status_code=status)
    if status == 500:
        stubber.add_response("delete_bucket_encryption", {})
    with pytest.raises(expected):
        remote_setup.apply_setting(
            stubber.client, REMOTE, "bucket_encryption", remote_setup.amend_encryption
        )
    stubber.assert_no_pending_responses()


def test_encryption_with_a_key_of_the_owners_stays():
    own = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "k"}}
    found = {"ServerSideEncryptionConfiguration": {"Rules": [own]}}
    assert remote_setup.amend_encryption(found, ARN) is None


@pytest.mark.parametrize(
    "change", [{"Filter": {}}, {"ID": "theirs"}, {"Filter": {}, "Prefix": ""}, {"Expiration": {}}]
)
def test_a_rule_that_aborts_uploads_will_do(change):
    assert remote_setup.amend_lifecycle({"Rules": [{**ABORT, **change}]}, ARN) is None


@pytest.mark.parametrize("change", [{"Status": "Disabled"}, {"Filter": {"Prefix": "a/"}}])
def test_a_rule_that_aborts_only_some_uploads_will_not_do(change):
    theirs = {**ABORT, **change, "ID": "theirs"}
    wanted = {"LifecycleConfiguration": {"Rules": [theirs, ABORT]}}
    assert remote_setup.amend_lifecycle({"Rules": [theirs]}, ARN) == wanted
    ours = {**ABORT, **change}
    wanted = {"LifecycleConfiguration": {"Rules": [ABORT]}}
    assert remote_setup.amend_lifecycle({"Rules": [ours]}, ARN) == wanted


def test_rules_of_the_older_kind_get_one_of_their_kind():
    theirs = {"ID": "theirs", "Status": "Enabled", "Prefix": "a/", "Expiration": {"Days": 3}}
    size = {"TransitionDefaultMinimumObjectSize": "varies_by_storage_class"}
    change = remote_setup.amend_lifecycle({"Rules": [theirs], **size}, ARN)
    ours = change["LifecycleConfiguration"]["Rules"][1]
    assert "Filter" not in ours
    assert ours["Prefix"] == ""
    assert change["TransitionDefaultMinimumObjectSize"] == "varies_by_storage_class"


def test_a_policy_of_a_single_statement_becomes_one_of_two():
    theirs = {"Sid": "theirs", "Effect": "Deny", "Action": "s3:*"}
    current = {"Policy": json.dumps({"Version": "2008-10-17", "Id": "p", "Statement": theirs})}
    policy = json.loads(remote_setup.amend_policy(current, ARN)["Policy"])
    assert policy == {"Version": "2008-10-17", "Id": "p", "Statement": [theirs, REFUSAL]}


def test_a_statement_that_refuses_plain_http_will_do_under_any_name():
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "tls", **REFUSAL}]}
    assert remote_setup.amend_policy({"Policy": json.dumps(policy)}, ARN) is None


def test_an_answer_that_is_not_a_policy_is_not_supported():
    with pytest.raises(NotImplementedError):
        remote_setup.amend_policy({"Policy": "<ListBucketResult/>"}, ARN)
