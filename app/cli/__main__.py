"""python -m geomill.app.cli"""

from geomill.app.cli import main

main()
