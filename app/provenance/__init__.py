"""What a job did, for others: W3C PROV in its encodings, and an RO-Crate that can be run again.

Pure but for `record.gather` and `archive.stream`, which read files; knows no HTTP.
"""
