"""The lighter services beside the mail: accounts, profiles, dossier, notices.

Each keeps one order: records, rules, operations, pages.
"""
