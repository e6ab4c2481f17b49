"""What every server that speaks HTTP has in common, and documents at an address.

bodies    an error body in one line, also if a proxy sent a page
causes    the exceptions behind an exception
tls       why a TLS connection failed, in words
fetch     a document, within limits
"""
