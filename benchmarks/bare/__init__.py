"""What a request, and a job, cost where nothing else is done: the least that Geomill could take."""
