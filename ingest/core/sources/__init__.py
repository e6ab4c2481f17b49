"""The declaration of a source, and the readers that parse bytes into a record.

source loader        a source's folder, read and checked
readers grammar regular   bytes -> record: JSON, Lark, one compiled expression
convert daylight     one value; which abbreviation of a zone belongs to a date
framing utf16        a file -> messages; UTF-16
wrapping             a package: a forwarder's wrapper or a syslog prefix -> the message inside
event flattened      one document in the making; what is kept as data
lenient endpoint     values read without trust; hosts and addresses
"""
