"""Cut one band of a STAC item to an area of interest."""
