"""Commands about runs, stored or read from files.

runs show compare analyze                                  one command each
runs_text waterfall_text compare_text analysis_text        for people
runs_json analysis_json runs_csv                           for machines
run_choice files                                           select runs, read files
"""
