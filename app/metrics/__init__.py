"""What a server counts and measures, for who watches it: Prometheus, or whatever reads its text format."""
