"""The loops: set up, ship, and Kafka to Elasticsearch with the commit last. Retry and backoff stand here only."""
