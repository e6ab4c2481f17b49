"""Tools for authors of sources and scripts.

explain explanation wording nearest lineage   why a message became what it became
lint lint_rules zone_faults                   what lines cost in information; hosts whose zone is wrong
samples rows file_framing                     what samples become, as rows of JSON; a file: one message, or lines
catalogue scaffold                            what there is to know of a source; the files of a new one
"""
