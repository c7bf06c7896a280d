"""The survey of how satisfied people are (K3): at the counter by QR code or on paper, and by a link about one's own case."""
