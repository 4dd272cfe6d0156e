"""Notices: the bell, and e-mails that say nothing of health (rules.md section 9)."""
