"""What is documented of how a country restricts its network, as data, and what fits it.

A country is a folder of data beside this file: no line of code names one. What agrees with
the documents is called consistent with them, which is never the same as done by those whom
they name.
"""
