"""CWL application packages: read, chosen from, loaded without the network, and described as processes."""
