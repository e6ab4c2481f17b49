"""Tracks which bytes of each file were received, and how far each writer's event time has come.

watermark                    how far event time has come, by source
byte_ranges manifest         which bytes of a file were received; its size according to the shipper
file_state file_document     the state of a file, and its document
gaps                         what is certainly missing
"""
