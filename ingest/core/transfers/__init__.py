"""Convert the records of transfer tools into fields: what moved, between which ends, in which phases, how it ended.

fields    what all share: instants in microseconds, phases, rate, ends, label, probe
fts       the messages of FTS3: states, starts and ends of attempts
globus    task and event documents of the Globus Transfer API
gridftp   the transfer log of GridFTP servers, and their "ng" log
rucio     events of Rucio, as Hermes sends them
xrootd    XRootD's close records, third-party copies and caches

A document tells what its record tells, and nothing of another record: what several records of one movement say
together is put together by movements.
"""
