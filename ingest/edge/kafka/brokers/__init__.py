"""The brokers of the cluster, one by one: which of them answers, and why another does not.

bootstrap   the brokers at which a client finds the cluster: one that answers, if one does
failures    why a connection failed, in words with the remedy
listener    what a port speaks: plain, TLS, SASL, or not Kafka
"""
