#!/usr/bin/env python3
"""What ./dev asks of an S3 server that is just starting, with Python's standard library alone.

    s3_server.py wait PID          wait until it answers, or process PID is gone (exit 1)
    s3_server.py bucket BUCKET     make the bucket where it is missing

Endpoint and credentials come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION.
"""

import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import sys
import time
import urllib.parse

ENDPOINT = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"])
REGION = os.environ.get("AWS_REGION", "us-east-1")
WAIT_SECONDS = 15


def connect():
    kind = http.client.HTTPSConnection if ENDPOINT.scheme == "https" else http.client.HTTPConnection
    return kind(ENDPOINT.netloc, timeout=30)


def keyed_hash(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed_headers(method, path, body):
    """Headers of AWS Signature Version 4 for a request without a query."""
    time_text = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "host": ENDPOINT.netloc,
        "x-amz-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-amz-date": time_text,
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    scope = f"{time_text[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{time_text}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (time_text[:8], REGION, "s3", "aws4_request"):
        key = keyed_hash(key, part)
    credential = f"{os.environ['AWS_ACCESS_KEY_ID']}/{scope}"
    signature = keyed_hash(key, text).hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def make_bucket(bucket):
    connection = connect()
    path = "/" + urllib.parse.quote(bucket, safe="-_.~")
    connection.request("PUT", path, b"", signed_headers("PUT", path, b""))
    response = connection.getresponse()
    status, text = response.status, response.read()
    if status != 200 and b"BucketAlreadyOwnedByYou" not in text:
        sys.exit(f"making bucket {bucket}: HTTP {status}: {text[:300].decode(errors='replace')}")


def wait(process):
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        try:
            connection = connect()
            connection.request("GET", "/", headers=signed_headers("GET", "/", b""))
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        try:
            os.kill(process, 0)
            if pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z"):
                sys.exit(1)
        except OSError:
            sys.exit(1)
        time.sleep(0.05)
    sys.exit(1)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "wait":
        wait(int(sys.argv[2]))
    elif len(sys.argv) == 3 and sys.argv[1] == "bucket":
        make_bucket(sys.argv[2])
    else:
        sys.exit(__doc__)


main()
