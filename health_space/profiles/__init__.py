"""Profiles: whose data a signed-in person may reach, besides their own (rules.md section 3, last lines; FAM-01 to FAM-07)."""
