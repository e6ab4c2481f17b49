"""The set of a run's marks and the watermark -> its stages, times and state.

state                        the set of marks
instances pairing stages phases run    the steps
completeness template        a run held against the template of its workflow
derive documents stored      what is kept of a run -> its documents; these, read again
"""
