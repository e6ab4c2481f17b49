"""The systems that perflog talks to, one package each; the packages do not import one another.

ports errors     the interfaces of these systems, and their errors
kafka/ elasticsearch/ kibana/ http/ local/    the systems
files notify clock     files to ship; notifications; the wall clock
"""
