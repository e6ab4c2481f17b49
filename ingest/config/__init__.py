"""Settings from one TOML file and the environment. No other package reads the environment.

settings   everything a facility chooses, as frozen dataclasses
load       the file, checked
addresses  of brokers and nodes: lists, or texts with commas
paths      where perflog's own data, the user's folder and a JDK are
"""
