"""What leaves: notices that we write ourselves, the relay to other operators, and e-mail to citizens' private addresses.

Nothing is sent from a request: a job (`foundation.jobs`) that was written with its cause does it, and tries again.
"""
