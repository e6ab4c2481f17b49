"""Boards as data -> Kibana's saved objects.

definition compiler          a board as data; compiled
lens saved_objects           panels; the objects that hold them
checks panel_fields          what a board may name
"""
