"""The world, one module a service, named after it. What is asked of the world, in our words, stands in ports.py."""
