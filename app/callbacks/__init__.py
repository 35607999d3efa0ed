"""Callbacks: what a request's subscriber is told of a job. Source: OGC 18-062r2, 7.16 (callback).

Told by a chore of the dispatcher, through the guard, signed; what is to be told follows from the status of a job, and
what was told from a log in its folder, so nothing is lost with a process.
"""
