"""perfSONAR results made up for the demo and the tests, and marked so: nothing here was measured.

    weather.py      the invented path: load over the day, minutes of congestion, one change of route
    envelope.py     the pScheduler document around a result, as an http archiver sends it
    throughput.py   iperf3 results with their diagnostics
    delay.py        powstream, owping and ping results
    trace.py        traceroute results
    day.py          all tests of a day between the two ends, in order of their end
    owping.py       owping's text output of the same invented path

Every document says `reference.synthetic: true`. Addresses and router names are of the documentation ranges.
"""
