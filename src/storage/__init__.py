"""The S3 remote."""
