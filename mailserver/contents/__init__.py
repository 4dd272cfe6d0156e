"""What a file is, by its octets and its name (`looking`); what it holds, to its bottom, in a process of its own (`descent`)."""
