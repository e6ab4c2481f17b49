"""The systems that perflog talks to, one package each; the packages do not import one another.

ports errors     the interfaces of these systems, and their errors
kafka/ elasticsearch/ kibana/ local/    the systems
http/    what they have in common that speak it, and documents at an address
files notify clock     files to ship; notifications; the wall clock
"""
