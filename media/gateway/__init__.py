"""Browser seats: ICE lite, DTLS-SRTP and Opus on one side, plain RTP on the other."""
