"""What a WSGI server runs: gunicorn wsgi:app."""

from geomill.app import create_app

app = create_app()
app.engine.serve()
