"""Convert the output of perfSONAR and network tools into fields with units.

pscheduler pscheduler_ends    runs of pScheduler in four shapes, and their two ends
throughput delay route other_tests    by type of test
iperf3 iperf3_text owping owping_machine ping    tools' own output
transport fields    protocol; where numbers and ends are set
"""
