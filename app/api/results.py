"""Results."""
from flask import Blueprint
bp = Blueprint("results", __name__)
@bp.get("/jobs/<job_id>/results")
def show(job_id: str): return {}
