"""Pictures of GeoTIFFs that jobs wrote, and the values in them: for maps of pages. Only jobs' like import the rest."""
