"""What a file is, by its octets; what archives hold, to their bottom, in a process of its own (`opening`, `worker`)."""
