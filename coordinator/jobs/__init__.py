"""AI jobs: one job a file, each a plain blocking function that the worker runs in a thread.

A job never raises because of what an object contains; it raises when S3 cannot be read, so that
the worker tries again.
"""
