"""Where the sample shop sells, to whom, and what.

Telephone numbers come from the ranges that each country keeps for fiction (DE:
Bundesnetzagentur, GB: Ofcom, US: NANPA 555-01xx, SE: PTS, AU: ACMA), so that no sample
can ever reach a real person. Japan keeps none: its customers have no telephone here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Market:
    """One country: language, clocks, currency, names and numbers.

    factor: minor units of `currency` per euro cent.
    step, ending: prices are rounded up to the step, then given the ending (19.95, ¥2,980).
    phones: number prefixes, each completed by two digits from 10 to 99.
    tracking: what the carrier's codes look like; each # is a digit.
    weight: how many of a hundred customers live there.
    """

    country: str
    locale: str
    time_zones: tuple[str, ...]
    currency: str
    factor: float
    step: int
    ending: int
    carrier: str
    tracking: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    phones: tuple[str, ...]
    weight: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MARKETS = (
    Market(
        country="DE",
        locale="de",
        time_zones=("Europe/Berlin",),
        currency="EUR",
        factor=1.0,
        step=100,
        ending=-5,
        carrier="DHL",
        tracking="JJD0001#############",
        first_names=_words("Anneliese Björn Cem Dörte Emre Frieda Götz Hanna Jürgen Käthe Meryem"),
        last_names=_words("Bäcker Çelik Fröhlich Groß Hofmann Köhler Müller Öztürk Schäfer Weiß"),
        phones=("+4917139200", "+4917299200", "+49176040690"),
        weight=30,
    ),
    Market(
        country="GB",
        locale="en-GB",
        time_zones=("Europe/London",),
        currency="GBP",
        factor=0.88,
        step=100,
        ending=-5,
        carrier="Royal Mail",
        tracking="RM#########GB",
        first_names=_words("Amara Callum Eilidh Freya Gareth Imogen Kwame Niamh Priya Siân Theo"),
        last_names=_words("Ashworth Campbell Davies Fletcher Hughes Khan O'Connor Okafor Patel"),
        phones=tuple(f"+442079460{digit}" for digit in range(10)),
        weight=25,
    ),
    Market(
        country="US",
        locale="en-US",
        time_zones=("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"),
        currency="USD",
        factor=1.1,
        step=100,
        ending=-1,
        carrier="UPS",
        tracking="1Z999AA1##########",
        first_names=_words("Alicia Brandon Camila DeShawn Elena Grace Hiroshi Jamal Lily Marcus"),
        last_names=_words("Alvarez Bennett Carter Delgado Goldberg Jefferson Nguyen Reyes Walker"),
        phones=tuple(f"+1{area}55501" for area in (206, 212, 303, 312, 404, 415, 512, 617, 718)),
        weight=25,
    ),
    Market(
        country="SE",
        locale="sv",
        time_zones=("Europe/Stockholm",),
        currency="SEK",
        factor=11.4,
        step=1000,
        ending=-100,
        carrier="PostNord",
        tracking="SE##########",
        first_names=_words("Agnes Åke Elsa Göran Ingrid Lars Märta Nils Saga Viggo"),
        last_names=_words("Andersson Björk Ekström Lindqvist Nyström Sjöberg Åkesson"),
        phones=("+467017406",),
        weight=7,
    ),
    Market(
        country="AU",
        locale="en-AU",
        time_zones=("Australia/Sydney", "Australia/Perth"),
        currency="AUD",
        factor=1.65,
        step=100,
        ending=-5,
        carrier="Australia Post",
        tracking="36AUS########",
        first_names=_words("Bronte Darcy Harper Jack Kirra Lachlan Matilda Nguyet Ruby Tane"),
        last_names=_words("Bradman Farrell Kelly Mackenzie Papadopoulos Singh Tran Wilson"),
        phones=tuple(f"+61255501{digit}" for digit in range(10)),
        weight=7,
    ),
    Market(
        country="JP",
        locale="ja",
        time_zones=("Asia/Tokyo",),
        currency="JPY",
        factor=1.62,
        step=100,
        ending=-20,
        carrier="Yamato",
        tracking="4##########",
        first_names=_words("Aoi Daiki Emi Haruto Kaori Ren Sakura Takumi Yui"),
        last_names=_words("Fujita Hayashi Ito Kobayashi Matsumoto Nakamura Sato Tanaka"),
        phones=(),
        weight=6,
    ),
)

GOODS = (  # SKU, name, euro cents
    ("BLK-WOOL", "Lambswool Blanket, Undyed", 12900),
    ("MUG-SALT", "Salt-Glazed Mug, 300 ml", 2400),
    ("TEA-SMOKE", "Pine-Smoked Black Tea, 100 g", 1450),
    ("KNF-OAK", "Paring Knife, Oak Handle", 4900),
    ("LMP-STORM", "Storm Lantern, Brass", 8900),
    ("SOAP-TAR", "Pine Tar Soap", 800),
    ("TWL-LINEN", "Linen Bath Towel", 3900),
    ("BRD-ASH", "Ash Chopping Board", 5600),
    ("SWT-GANSEY", "Fisherman's Gansey, Navy", 18900),
    ("HAT-DOCK", "Dock Worker's Beanie", 3200),
    ("BAG-WAX", "Waxed Canvas Tote", 7400),
    ("NTB-LOG", "Logbook, Dotted, A5", 1900),
    ("CND-CEDAR", "Cedar & Sea Salt Candle", 2800),
    ("KTL-IRON", "Cast-Iron Kettle", 9800),
    ("SCK-HIKE", "Merino Hiking Socks", 2200),
    ("FLS-STEEL", "Steel Flask, 750 ml", 3600),
    ("HNY-HEATH", "Heather Honey, 350 g", 1250),
    ("GLV-DEER", "Deerskin Work Gloves", 6400),
    ("RUG-JUTE", "Braided Jute Rug, 120 cm", 11200),
    ("BTL-OIL", "Stoneware Oil Bottle", 3400),
    ("PIN-ANCHOR", "Enamel Pin “Anchor”", 600),
    ("CLK-TIDE", "Tide Clock", 14500),
    ("MAP-COAST", "Letterpress Coast Map", 4200),
    ("ROP-KEY", "Rope Keyring", 950),
)
