"""`perflog run`: poll, decode, index, commit last.

bootstrap supervisor process   one worker from start to end; several, kept alive; what a process is set to
worker                         the loop
buffer threads backlog         what was polled; who writes it; what waits to be derived
offsets committer ledger       which offsets are settled; ledger, then commit
drain waits report             whether all is read; what is waited for; what a run did
"""
