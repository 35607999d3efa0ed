"""Who asks, and what he may: callers, their roles and tokens, whose a job is."""
