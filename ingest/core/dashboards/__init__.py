"""Boards as data -> Kibana's saved objects.

definition compiler          a board as data; compiled
lens saved_objects           panels; the objects that contain them
checks panel_fields          which fields a board may use
"""
