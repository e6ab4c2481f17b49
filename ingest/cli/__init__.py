"""The door: one module a group of subcommands. Problems become one sentence and a sysexits code here, nowhere else."""
