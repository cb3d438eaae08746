"""Makes contacts.csv, a thousand fictional people and some bad rows: `python examples/make_contacts.py`.

Every number lies in a range that its regulator keeps for fiction, so that no mistake can ring a real handset.
"""

import csv
import io
import random
from dataclasses import dataclass
from pathlib import Path

ROWS = 1000
HEADER = ("phone-number", "first-name", "last-name")
FILE = Path(__file__).with_name("contacts.csv")
SEED = 20200707

NANP_US = "201 202 206 212 213 214 303 305 312 313 314 404 407 415 503 505 512 602 612 615 617 702 713 718 801 808 907"
NANP_CA = "204 250 306 403 416 418 506 514 604 613 709 780 867 902"


@dataclass(frozen=True)
class Place:
    """People of one country: how many, from which numbers, with which names."""

    rows: int
    numbers: list[str]
    first: tuple[str, ...]
    last: tuple[str, ...]


@dataclass(frozen=True)
class Odd:
    """A row put in on purpose: its line in the file, its fields, what becomes of it and why."""

    line: int
    phone_number: str
    first_name: str
    last_name: str
    fate: str
    why: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


def _range(prefix: str, first: int, last: int, width: int) -> list[str]:
    return [f"{prefix}{number:0{width}d}" for number in range(first, last + 1)]


def _nanp(areas: str) -> list[str]:
    return [number for area in areas.split() for number in _range(f"+1{area}555", 100, 199, 4)]


PLACES = (
    Place(  # NANPA: 555-0100 to 555-0199 of each area code
        495,
        _nanp(NANP_US),
        _words(
            "Ada Grace Alan Katherine Dorothy Mary-Ann Edsger Barbara "
            "Donald Frances Ken Margaret Dennis Radia Vint "
            "José Zoë Renée Björn Siobhán Łukasz Nguyễn "
            "Xóchitl Ngozi Kwame Aaliyah DeShawn Jo Ximena O'Shea"
        ),
        _words(
            "Lovelace Hopper Turing Johnson Vaughan Keller Dijkstra "
            "Liskov Knuth Allen Thompson Hamilton Ritchie "
            "O'Connor García Núñez Müller Smith-Jones Van_der_Berg "
            "Okafor Mensah Nakamura Li St._John Þórsson"
        ),
    ),
    Place(
        100,
        _nanp(NANP_CA),
        _words("Élise Noémie Geneviève Maël Loïc François Aoife Liam Olivia Noah Amélie Zacharie Anaïs Thérèse Hugo"),
        _words("Tremblay Côté Bélanger Gagné Pelletier MacDonald Lévesque Fortin Singh Chen Desrosiers Gauthier"),
    ),
    Place(  # Ofcom: numbers for drama, London and Glasgow
        130,
        _range("+44207946", 0, 999, 4) + _range("+44141496", 0, 999, 4),
        _words(
            "Oliver Amelia Harry Isla George Niamh Callum Freya Rhys Siân Hamish Imogen Priya Arjun Tomasz Agnieszka"
        ),
        _words("Smith Jones Taylor Brown Davies McGregor Llewellyn Patel Kowalski O'Neill Featherstonehaugh Hughes"),
    ),
    Place(  # Bundesnetzagentur: numbers for media productions, Berlin
        90,
        _range("+493023125", 0, 999, 3),
        _words("Jürgen Käthe Sören Änne Günther Zoé Jörg Özlem Emre Anneliese Björn Mia Łucja Dvořák Frauke Ömer"),
        _words("Müller Schäfer Groß Weiß Köhler Yılmaz Bäcker Schröder Jäger Krüger Strauß Öztürk Lübke"),
    ),
    Place(  # ARCEP: 01 99 00 xx xx
        70,
        _range("+3319900", 0, 9999, 4),
        _words("Chloé Léa Zoé Hélène Raphaël Jérôme Benoît Gaël Inès Maëlys Côme Clémence Ambroise Œdipe"),
        _words("Lefèvre Dupré Étienne Garçon Noël Hébert Le_Goff D'Artagnan Müller Crête Lœuillet"),
    ),
    Place(  # PTS: 070-174 06 05 to 99
        45,
        _range("+467017406", 5, 99, 2),
        _words("Åsa Björn Örjan Märta Göran Ängla Sixten Linnéa Håkan Åke Maj-Britt"),
        _words("Åström Öberg Sjöström Lindgren Björklund Hägg Ångström Nygård"),
    ),
    Place(  # people who write their names in other scripts, or with emoji; numbers as in the first place
        45,
        _nanp("917 646 323 310"),
        _words(
            "Ελένη Дмитро Светлана 花子 太郎 지우 明 小龙 محمد فاطمة "
            "יעל प्रिया สมชาย ანა Արամ Sam🌻 Zoe🎉 👩‍🚀Mae Kai🏳️‍🌈 Bo🐝 தமிழ்"
        ),
        _words(
            "Παπαδοπούλου Шевченко Иванова 山田 佐藤 김 李 王 حسن الزهراء כהן शर्मा ใจดี ბერიძე Պետրոսյան Rivers Stone"
        ),
    ),
)

SENT, REFUSED = "sent", "refused"
DUPLICATE, MISSING = "incomplete: duplicate", "incomplete: missing-variable"

ODD = (
    Odd(18, "12125550147", "Nora", "Plusless", REFUSED, "no plus before the country code"),
    Odd(61, "(212) 555-0148", "Natalie", "National", REFUSED, "national notation"),
    Odd(104, "+1212555", "Shorty", "Short", REFUSED, "too short"),
    Odd(147, "+1212555014999999", "Leonard", "Long", REFUSED, "more than fifteen digits"),
    Odd(190, "+1800FLOWERS", "Flora", "Letters", REFUSED, "letters"),
    Odd(233, "", "Emma", "Empty", REFUSED, "empty"),
    Odd(276, "+1 212 555 0149", "Spencer", "Spaces", SENT, "spaces inside are taken out"),
    Odd(319, "++12125550150", "Paula", "Plusplus", REFUSED, "two pluses"),
    Odd(362, "+11235550151", "Unn", "Assigned", REFUSED, "no area code starts with 1"),
    Odd(405, "+9991234567", "Nowhere", "Man", REFUSED, "no country has this code"),
    Odd(448, "+447700900123", "Doctor", "Who", SENT, "kept for drama: real rules refuse it, ours let fiction pass"),
    Odd(491, "1.21256E+10", "Excel", "Damage", REFUSED, "a spreadsheet rounded it"),
    Odd(
        534,
        "+１２１２５５５０１５２",
        "Fullwidth",
        "Digits",
        SENT,
        "digits of another script are read as what they are",
    ),
    Odd(577, "0012125550153", "Zero", "Zero", REFUSED, "an international prefix instead of the plus"),
    Odd(620, "+12125550154 ext. 9", "Ext", "Ension", REFUSED, "an extension cannot get a text"),
    Odd(663, "+19175550161", "", "Nameless", MISSING, "no first name, and the template has no default"),
    Odd(706, "+19175550162", "", "Anonymous", MISSING, "no first name, and the template has no default"),
    Odd(749, "+19175550163", "Twice", "Told", SENT, "the first of a pair"),
    Odd(792, "+19175550163", "Twice", "Told", DUPLICATE, "the same text to the same number again"),
    Odd(
        813,
        "+19175550163",
        "Thrice",
        "Told",
        SENT,
        "the same number, but another text: two people, one handset",
    ),
    Odd(835, "+19175550164", "=cmd()", "Formula", SENT, "looks like a formula; a text is no spreadsheet"),
    Odd(
        856,
        "+19175550165",
        "{{7*7}}",
        "Template",
        SENT,
        "looks like a template; values are never rendered again",
    ),
    Odd(878, "+19175550166", "Wolfeschlegel" * 12, "Long", SENT, "two segments"),
    Odd(921, "+19175550164", "=cmd()", "Formula", DUPLICATE, "the same text to the same number again"),
    Odd(964, "+19175550167", 'Robert "Bobby"', "Tables', --", SENT, "quotes and commas inside fields"),
)


def rows() -> list[tuple[str, str, str]]:
    """The rows under the header, always the same."""
    dice = random.Random(SEED)
    taken = {odd.phone_number for odd in ODD}
    people = [person for place in PLACES for person in _people(place, dice, taken)]
    dice.shuffle(people)
    for odd in ODD:  # in the order of their lines, so that each insertion leaves the earlier ones in place
        people.insert(odd.line - 2, (odd.phone_number, odd.first_name, odd.last_name))
    return people[:ROWS]


def _people(place: Place, dice: random.Random, taken: set[str]) -> list[tuple[str, str, str]]:
    """The people of a place, each with a number of their own."""
    numbers = dice.sample([number for number in place.numbers if number not in taken], place.rows)
    return [(number, dice.choice(place.first), dice.choice(place.last)) for number in numbers]


def as_csv() -> str:
    """The whole file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows())
    return out.getvalue()


def as_table() -> str:
    """The odd rows as the README shows them."""
    lines = [
        f"| {odd.line} | `{odd.phone_number or ' '}` | {_short(odd.first_name)} | {odd.fate} | {odd.why} |"
        for odd in ODD
    ]
    return "\n".join(
        ["| line | phone-number | first-name | what becomes of it | why |", "|---|---|---|---|---|", *lines]
    )


def _short(name: str) -> str:
    """A name as a table cell."""
    return f"`{name if len(name) < 30 else name[:26] + '...'}`" if name else ""


if __name__ == "__main__":
    FILE.write_text(as_csv(), "utf-8")
    print(as_table())
