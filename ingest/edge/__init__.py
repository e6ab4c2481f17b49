"""What perflog touches, one package a system; they do not know each other.

ports errors     what is asked of them; what may go wrong
kafka/ elasticsearch/ kibana/ local/    the systems
files notify     files to read; who is told
"""
