"""The pure core: bytes in, documents, rejects and ignored lines out. No clock, socket, logger or environment.

model mark kafka_record bulk bulk_result                 what passes between packages
fields ids timestamps statistics lookup cache batching bounds toml_checks   what all share
sources/ network/ transfers/ decode/ records/    a Kafka record becomes bulk actions
tracking/ runs/ replay/               files and writers; runs and stages; what a new reading corrects
movements/                            transfers told by several records, each once
analysis/ alerts/ dashboards/         questions, rules, boards
inventory/                            who is who: hosts, sites, expected tests
authoring/                            for whoever writes a source or a script
"""
