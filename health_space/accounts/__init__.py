"""Accounts: signing in, the profile acted for, and the pages that stand at every foot (help, accessibility, personal data)."""
