"""Commands that set the pipeline up and run it.

demo stack setup generate ship run sweep   one command each
demo_text                                  what the demo prints
"""
