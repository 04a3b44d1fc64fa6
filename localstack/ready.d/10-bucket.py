# ruff: noqa: INP001 - LocalStack runs it by path, and a package must not have this name
"""The bucket, its CORS and its rule for abandoned multiparts: LocalStack runs this when ready.

The same as ``coordinator/embedded/bucket.py`` does for SeaweedFS. It runs inside LocalStack's own
Python, which has boto3; doing it again changes nothing.
"""

import os

import boto3

BUCKET = os.environ.get("COORDINATOR_S3_BUCKET", "datasets")
PREFIX = os.environ.get("COORDINATOR_S3_PREFIX", "datasets")
ORIGINS = os.environ.get("COORDINATOR_CORS_ORIGINS") or "*"

s3 = boto3.client(
    "s3",
    endpoint_url=os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",  # noqa: S106 - LocalStack's own, known to everybody
)
s3.create_bucket(Bucket=BUCKET)
s3.put_bucket_cors(
    Bucket=BUCKET,
    CORSConfiguration={
        "CORSRules": [
            {
                "ID": f"{PREFIX}-pages",
                "AllowedOrigins": [origin.strip() for origin in ORIGINS.split(",")],
                "AllowedMethods": ["PUT", "GET"],
                "AllowedHeaders": [
                    "content-type",
                    "x-amz-checksum-sha256",
                    "x-amz-sdk-checksum-algorithm",
                ],
                "ExposeHeaders": ["ETag", "x-amz-checksum-sha256"],
                "MaxAgeSeconds": 3600,
            }
        ]
    },
)
s3.put_bucket_lifecycle_configuration(
    Bucket=BUCKET,
    LifecycleConfiguration={
        "Rules": [
            {
                "ID": "abandoned-multiparts",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 9},
            }
        ]
    },
)
