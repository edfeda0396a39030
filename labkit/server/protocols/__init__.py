"""One file a wire protocol. Each keeps the same order, so that two of them diff well: what it is, fields, errors,
authentication, handlers, rendering, routes."""
