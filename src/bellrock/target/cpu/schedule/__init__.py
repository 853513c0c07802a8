"""Schedules that only this target has."""
