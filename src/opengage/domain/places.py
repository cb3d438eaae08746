"""Where people are, as data: the states and provinces with rules of their own, their zones, area and postal codes.

Area codes follow the public assignments of the North American Numbering Plan; a test holds them to the geographic data
of `phonenumbers`, which would take megabytes to load at run time. ZIP code prefixes follow the United States Postal
Service (Labeling List L002), postal codes of Canada its first letter. A part of Arizona keeps daylight saving time
(the Navajo Nation): only a `time-zone` tells.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class State(NamedTuple):
    """A state, province or territory: its code, the ISO 3166 country of its numbers, its name, its time zones."""

    code: str
    country: str
    name: str
    zones: tuple[str, ...]


_STATES = """
AL US Alabama: Chicago
AK US Alaska: Anchorage Adak
AZ US Arizona: Phoenix
AR US Arkansas: Chicago
CA US California: Los_Angeles
CO US Colorado: Denver
CT US Connecticut: New_York
DE US Delaware: New_York
DC US District of Columbia: New_York
FL US Florida: New_York Chicago
GA US Georgia: New_York
HI US Hawaii: Pacific/Honolulu
ID US Idaho: Boise Los_Angeles
IL US Illinois: Chicago
IN US Indiana: New_York Chicago
IA US Iowa: Chicago
KS US Kansas: Chicago Denver
KY US Kentucky: New_York Chicago
LA US Louisiana: Chicago
ME US Maine: New_York
MD US Maryland: New_York
MA US Massachusetts: New_York
MI US Michigan: New_York Chicago
MN US Minnesota: Chicago
MS US Mississippi: Chicago
MO US Missouri: Chicago
MT US Montana: Denver
NE US Nebraska: Chicago Denver
NV US Nevada: Los_Angeles Denver
NH US New Hampshire: New_York
NJ US New Jersey: New_York
NM US New Mexico: Denver
NY US New York: New_York
NC US North Carolina: New_York
ND US North Dakota: Chicago Denver
OH US Ohio: New_York
OK US Oklahoma: Chicago
OR US Oregon: Los_Angeles Boise
PA US Pennsylvania: New_York
RI US Rhode Island: New_York
SC US South Carolina: New_York
SD US South Dakota: Chicago Denver
TN US Tennessee: New_York Chicago
TX US Texas: Chicago Denver
UT US Utah: Denver
VT US Vermont: New_York
VA US Virginia: New_York
WA US Washington: Los_Angeles
WV US West Virginia: New_York
WI US Wisconsin: Chicago
WY US Wyoming: Denver
AS AS American Samoa: Pacific/Pago_Pago
GU GU Guam: Pacific/Guam
MP MP Northern Mariana Islands: Pacific/Saipan
PR PR Puerto Rico: Puerto_Rico
VI VI U.S. Virgin Islands: St_Thomas
AB CA Alberta: Edmonton
BC CA British Columbia: Vancouver Edmonton Fort_Nelson
MB CA Manitoba: Winnipeg
NB CA New Brunswick: Halifax
NL CA Newfoundland and Labrador: St_Johns Halifax
NT CA Northwest Territories: Edmonton
NS CA Nova Scotia: Halifax
NU CA Nunavut: Iqaluit Winnipeg Edmonton
ON CA Ontario: Toronto Winnipeg Atikokan
PE CA Prince Edward Island: Halifax
QC CA Quebec: Toronto Halifax Blanc-Sablon
SK CA Saskatchewan: Regina Edmonton
YT CA Yukon: Whitehorse
"""


def _states() -> Mapping[str, State]:
    found = {}
    for line in _STATES.strip().splitlines():
        place, _, zones = line.partition(": ")
        code, country, name = place.split(" ", 2)
        full = (zone if "/" in zone else f"America/{zone}" for zone in zones.split())
        found[code] = State(code, country, name, tuple(full))
    return MappingProxyType(found)


STATES = _states()
"""States of the United States, its territories, and provinces of Canada, by their two-letter codes."""

OTHER_NAMES = MappingProxyType(
    {
        "washington state": "WA",
        "washington dc": "DC",
        "virgin islands": "VI",
        "us virgin islands": "VI",
        "newfoundland": "NL",
        "labrador": "NL",
        "québec": "QC",
        "yukon territory": "YT",
        "commonwealth of the northern mariana islands": "MP",
    }
)
"""Names beside those of STATES, in small letters and without dots."""

NUMBERS_AS_ONE = frozenset({"US", "CA", "AS", "GU", "MP", "PR", "VI"})
"""The countries of STATES: for a number of theirs, and no other, a bare `state` or `postal-code` is understood."""

_AREA_CODES = """
AL 205 251 256 334 659 938
AK 907
AZ 480 520 602 623 928
AR 327 479 501 870
CA 209 213 279 310 323 341 350 369 408 415 424 442 510 530 559 562 619 626 628 650 657 661 669 707 714 738 747 760 805
CA 818 820 831 837 840 858 909 916 925 949 951
CO 303 719 720 748 970 983
CT 203 475 860 959
DE 302
DC 202 771
FL 239 305 321 324 352 386 407 448 561 645 656 689 727 728 754 772 786 813 850 863 904 941 954
GA 229 404 470 478 678 706 762 770 912 943
HI 808
ID 208 986
IL 217 224 309 312 331 447 464 618 630 708 730 773 779 815 847 861 872
IN 219 260 317 463 574 765 812 930
IA 319 515 563 641 712
KS 316 620 785 913
KY 270 364 502 606 859
LA 225 318 337 457 504 985
ME 207
MD 227 240 301 410 443 667
MA 339 351 413 508 617 774 781 857 978
MI 231 248 269 313 517 586 616 679 734 810 906 947 989
MN 218 320 507 612 651 763 924 952
MS 228 471 601 662 769
MO 235 314 417 557 573 636 660 816 975
MT 406
NE 308 402 531
NV 702 725 775
NH 603
NJ 201 551 609 640 732 848 856 862 908 973
NM 505 575
NY 212 315 329 332 347 363 516 518 585 607 624 631 646 680 716 718 838 845 914 917 929 934
NC 252 336 472 704 743 828 910 919 980 984
ND 701
OH 216 220 234 283 326 330 380 419 436 440 513 567 614 740 937
OK 405 539 572 580 918
OR 458 503 541 971
PA 215 223 267 272 412 445 484 570 582 610 717 724 814 835 878
RI 401
SC 803 821 839 843 854 864
SD 605
TN 423 615 629 731 865 901 931
TX 210 214 254 281 325 346 361 409 430 432 469 512 621 682 713 726 737 806 817 830 832 903 915 936 940 945 956 972 979
UT 385 435 801
VT 802
VA 276 434 540 571 686 703 757 804 826 948
WA 206 253 360 425 509 564
WV 304 681
WI 262 274 353 414 534 608 715 920
WY 307
AS 684
GU 671
MP 670
PR 787 939
VI 340
AB 368 403 587 780 825
BC 236 250 257 604 672 778
MB 204 431 584
NB 428 506
NL 709 879
NS- 782 902
NT- 867
ON 226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 807 905 942
QC 263 273 354 367 418 438 450 468 514 579 581 819 873
SK 306 474 639
BS= 242
BB= 246
AI= 264
AG= 268
VG= 284
KY= 345
BM= 441
GD= 473
TC= 649
JM= 658 876
MS= 664
SX= 721
LC= 758
DM= 767
VC= 784
DO= 809 829 849
TT= 868
KN= 869
"""
# A mark - means several provinces share the code; = a country of its own.


def _area_codes() -> Mapping[str, tuple[str, str | None]]:
    found: dict[str, tuple[str, str | None]] = {}
    for line in _AREA_CODES.strip().splitlines():
        place, *codes = line.split()
        code, mark = place[:2], place[2:]
        country = code if mark == "=" else STATES[code].country
        found |= dict.fromkeys(codes, (country, None if mark else code))
    return MappingProxyType(found)


AREA_CODES = _area_codes()
"""Country and state by area code of +1; the state is None where several share it or there are none."""

_ZIPS = """
005 NY 006-007 PR 008 VI 009 PR 010-027 MA 028-029 RI 030-038 NH 039-049 ME 050-054 VT 055 MA 056-059 VT 060-069 CT
070-089 NJ 100-149 NY 150-196 PA 197-199 DE 200 DC 201 VA 202-205 DC 206-219 MD 220-246 VA 247-268 WV 270-289 NC
290-299 SC 300-319 GA 320-339 FL 341-342 FL 344 FL 346-347 FL 349 FL 350-369 AL 370-385 TN 386-397 MS 398-399 GA
400-427 KY 430-459 OH 460-479 IN 480-499 MI 500-528 IA 530-549 WI 550-567 MN 569 DC 570-577 SD 580-588 ND 590-599 MT
600-629 IL 630-658 MO 660-679 KS 680-693 NE 700-714 LA 716-729 AR 730-732 OK 733 TX 734-749 OK 750-799 TX 800-816 CO
820-831 WY 832-838 ID 840-847 UT 850-865 AZ 870-884 NM 885 TX 889-898 NV 900-961 CA 967-968 HI 969 GU 970-979 OR
980-994 WA 995-999 AK 06390 NY 83414 WY 96799 AS 96950 MP 96951 MP 96952 MP
"""


def _zips() -> Mapping[str, str]:
    words = _ZIPS.split()
    found: dict[str, str] = {}
    for span, code in zip(words[::2], words[1::2], strict=True):
        first, _, last = span.partition("-")
        found |= {f"{prefix:0{len(first)}}": code for prefix in range(int(first), int(last or first) + 1)}
    return MappingProxyType(found)


ZIPS = _zips()
"""State by the first three digits of a ZIP code, and by all five where one differs from its neighbours."""

POSTAL_CODES = MappingProxyType(
    dict.fromkeys("A", "NL")
    | dict.fromkeys("B", "NS")
    | dict.fromkeys("C", "PE")
    | dict.fromkeys("E", "NB")
    | dict.fromkeys("GHJ", "QC")
    | dict.fromkeys("KLMNP", "ON")
    | dict.fromkeys("R", "MB")
    | dict.fromkeys("S", "SK")
    | dict.fromkeys("T", "AB")
    | dict.fromkeys("V", "BC")
    | dict.fromkeys("X", "NT")
    | dict.fromkeys(("X0A", "X0B", "X0C"), "NU")
    | dict.fromkeys("Y", "YT")
)
"""Province by the first letter of a Canadian postal code, or its first three characters."""
