"""Settings from one TOML file and the environment. No other package reads the environment.

settings   everything a facility chooses, as frozen dataclasses
load       the file, checked
paths      where perflog's own data, the user's folder and a JDK are
"""
