"""A PayUnity stand-in: a process that speaks the gateway's protocol and keeps its own book."""
