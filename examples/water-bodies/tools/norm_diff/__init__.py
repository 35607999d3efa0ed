"""The normalized difference of two rasters."""
