"""What others put around a message, and how it is taken off.

wrappers    a forwarder's document around a line -> the line, its host, file and offset
prefixes    the prefix that a syslog daemon writes before a line -> the line behind it
"""
