"""RTP for all legs at once: one vectorised tick each 20 ms."""
