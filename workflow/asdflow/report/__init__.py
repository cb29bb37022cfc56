"""The report: one self-contained page, and the leaderboard as a file and as text."""

from asdflow.report.leaderboard import csv_text, leaderboard_text, write_leaderboard
from asdflow.report.page import build
from asdflow.report.sound import recordings

__all__ = ["build", "csv_text", "leaderboard_text", "recordings", "write_leaderboard"]
