"""PayUnity (OPPWA): what the engine says to the gateway, and how far it believes the answers."""
