"""The one door in: rules, closing, quota, storage and promises in one transaction."""
