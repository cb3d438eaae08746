"""The SMPP 3.4 wire: PDUs, TLVs, data codings, sessions. No policy; imports nothing of ours."""
