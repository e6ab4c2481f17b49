"""What was received of each file, and up to when each writer has spoken.

watermark                    how far event time has come, by source
byte_ranges manifest         which bytes of a file were received; how large its shipper says it is
file_state file_document     what is kept of a file, and as a document
gaps                         what is surely missing
"""
