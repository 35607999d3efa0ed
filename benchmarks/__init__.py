"""How fast Geomill is, on this machine, and whether that is fast enough. `make bench` runs it."""
