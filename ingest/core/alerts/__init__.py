"""Rules -> verdicts -> incidents -> sentences.

rules                alarm rules as data
slow_stage outliers  a stage judged by those before it; all stages of some runs
incidents            what is told once
documents messages   incidents as documents, and in words
"""
