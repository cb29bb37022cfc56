"""The report and the leaderboard: what results say to people; computes no score and no metric."""

from asdflow.report.leaderboard import csv_text, leaderboard_text, write_leaderboard
from asdflow.report.page import build
from asdflow.report.sound import recordings

__all__ = ["build", "csv_text", "leaderboard_text", "recordings", "write_leaderboard"]
