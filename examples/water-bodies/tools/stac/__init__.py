"""Put water masks into a STAC catalogue."""
