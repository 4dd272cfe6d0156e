"""Everything that the doctor can find, in words: what is wrong, what it means for those whose mail it is, what to do.

Tables, one fault a block, each of the checks in the file of the same name one folder above. A remedy names a command, a setting or
a file: whoever was woken types it.
"""
