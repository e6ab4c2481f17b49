"""Who is who: hosts with site, facility and role, and the tests that a mesh expects. Read from files of other systems.

host        a host, and the table that finds it by any of its names and addresses
psconfig groups    pSConfig templates; which addresses of a group test each other
mesh        the old mesh JSON
table       tab-separated hosts
expected check    tests that should arrive; which do not
reading     any of these formats, with includes
documents   hosts and tests as documents, and back
"""
