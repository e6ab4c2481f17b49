"""Movements of bytes, derived from the facts of kind transfers: each movement once, however many records tell it.

record      what a movement needs of one fact
units       records that share an id: a task, or one file
matching    units that different tools told of one movement
movement    which record's bytes count, how it ended, how long it waited
polls       how bytes grew while a task was active
state documents    what a unit keeps beside its facts; a movement as a document
"""
