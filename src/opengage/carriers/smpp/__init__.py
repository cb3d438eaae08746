"""The carrier that speaks SMPP 3.4, to a real network or to the simulator: for `assembly` alone to name."""

from opengage.carriers.smpp.carrier import SmppCarrier, SmppOptions, SmscAddress
from opengage.carriers.smpp.deliveries import RefForm
from opengage.carriers.smpp.verdicts import TREATMENTS, Treatment

__all__ = ["TREATMENTS", "RefForm", "SmppCarrier", "SmppOptions", "SmscAddress", "Treatment"]
