"""From the set of a run's marks and the watermark to its stages, times and state.

state                        the set of marks
instances pairing stages phases run    the steps
completeness template        compares a run with the template of its workflow
derive documents stored      a run's state -> its documents; these documents, read again
"""
