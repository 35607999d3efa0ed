"""Files that callers sent to be inputs of their jobs: received, kept for a while, found by address, given to a job."""
