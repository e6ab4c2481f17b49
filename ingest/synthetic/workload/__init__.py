"""Lines of workflows, of known truth.

workflow_model run_plan arrivals    workflows; one run; when runs begin
generator stamps corruption results lines and results; printed times; damage
truth observable folder             what is so; what can be known of it; as files
"""
