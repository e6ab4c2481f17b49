"""Commands for whoever writes a source or a script.

try_ explain lint sources source   one command each
explain_text                       an explanation, for people
"""
