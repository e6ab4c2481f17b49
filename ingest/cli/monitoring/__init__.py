"""Commands that report what is slow, missing or incomplete.

alerts gaps inventory workflow dashboards            one command each
alerts_text gaps_text inventory_text workflow_text   for people
alerts_json workflow_json                  for machines
"""
