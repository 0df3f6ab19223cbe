"""What the service has, one module for each kind: methods that name the route, what goes in and what comes out.

A list comes as an iterator that fetches its pages as it goes. A method with `key` is done once for each
Idempotency-Key and makes one where none is given; a changing method without it is sent once and never repeated.
"""
