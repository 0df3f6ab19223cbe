"""HTTP and nothing else: wire models, routes, authentication, problems. One module per resource."""
