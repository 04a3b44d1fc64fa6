"""Coordinator for direct-to-S3 multipart uploads; chunk bytes never pass through it."""
