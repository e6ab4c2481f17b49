"""Tools for authors of sources and scripts.

explain explanation wording nearest lineage   why a message became what it became
lint lint_rules zone_faults                   what lines cost in information; hosts whose zone is wrong
samples rows                                  what samples become, as rows of JSON
catalogue scaffold                            what there is to know of a source; the files of a new one
"""
