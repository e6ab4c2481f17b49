"""Commands for authors of sources and scripts.

try_ explain lint sources source   one command each
explain_text                       an explanation, for people
"""
