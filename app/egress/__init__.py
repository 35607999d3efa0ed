"""The way out of a job: a forward proxy with the rules of the guard, and what leads programs to it."""
