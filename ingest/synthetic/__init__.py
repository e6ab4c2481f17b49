"""Lines and perfSONAR results made up for the demo and the tests; results are marked so: nothing here was measured.

    weather.py      the invented path: load over the day, minutes of congestion, one change of route
    envelope.py     the pScheduler document around a result, as an http archiver sends it
    throughput.py   iperf3 results with their diagnostics
    delay.py        powstream, owping and ping results
    trace.py        traceroute results
    day.py          all tests of a day between the two ends, in order of their end
    owping.py       owping's text output of the same invented path

Beside them the workload: lines and results with known truth, as many as asked.

    truth.py        what is made and what is known of it: data
    recipes.py      what runs are made of: stages, scripts, how long they take
    life.py         one run, planned, and the lines that its scripts print
    arrivals.py     which messages arrive of its lines, when and in which form
    damage.py       their bytes and truth: whole, torn, glued, refused, poisoned, foreign
    known.py        what the lines that are there let anybody know of the run
    stamps.py       what `date` prints at a facility
    results.py      perfSONAR results with their truth
    folder.py       written into files, the truth beside them
    workload.py     all of it in the order of arrival

Every result says `reference.synthetic: true`. Addresses and router names are of the documentation ranges.
"""
