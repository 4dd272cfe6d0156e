"""The demo: invented people, a development PKI and trust list, two operators, one command."""
