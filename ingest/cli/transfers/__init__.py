"""Commands about what moved, between whom, how fast.

transfers                          the command
transfers_text transfers_json      for people; for machines
"""
