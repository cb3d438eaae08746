"""The other end: an SMSC simulator and fake handsets."""
