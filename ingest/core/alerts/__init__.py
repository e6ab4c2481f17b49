"""Rules -> verdicts -> incidents -> sentences.

rules                alarm rules as data
slow_stage outliers  a stage judged by earlier ones; all stages of some runs
incidents            what people are notified of, once each
documents messages   incidents as documents, and in words
"""
