"""Tell high values of a raster from low ones."""
