"""The nodes of the cluster, one by one: which of them answers, and why another does not.

failover    sends each request to a node that answers
faults      why no node answered, in words with the remedy
"""
