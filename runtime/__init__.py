"""Composition: settings, processes, command line, demo. The only place that knows every concrete class."""
