"""A real Kafka broker and a real Elasticsearch node from their own jars, for the demo and the tests."""
