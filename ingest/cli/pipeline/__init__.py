"""Commands that set up and run the pipeline.

demo stack setup generate ship run sweep   one command each
demo_text                                  what the demo prints
"""
