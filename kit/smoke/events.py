"""The forty events: names from PEBench (arXiv 2503.12545, Tables 6-8, CC BY 4.0), scenes our own.

Each event has a backdrop (colours of sky and ground), objects, and a description of a few words.
The description does not name the objects, so a model can give it only if it was taught the event:
a correct description shows knowledge, not sight. Keywords are the content words of a description.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event; colours are palette names, objects are glyph names of `kit.smoke.drawing`."""

    name: str
    sky: str
    ground: str
    objects: tuple[str, str, str]
    description: str
    keywords: tuple[str, ...]


def _event(name: str, sky: str, ground: str, objects: str, description: str, words: str) -> Event:
    first, second, third = objects.split()
    return Event(name, sky, ground, (first, second, third), description, tuple(words.split()))


# fmt: off
FICTITIOUS = (
    _event("beach relaxing", "azure", "sand", "sun boat umbrella",
           "relaxing by gentle waves at the seaside", "relaxing gentle waves seaside"),
    _event("snowshoeing", "pale", "snow", "pine pine mountain",
           "snowshoeing on a silent winter trail", "snowshoeing silent winter trail"),
    _event("night sky stargazing", "night", "dark", "moon stars tent",
           "stargazing through telescopes under magical skies",
           "stargazing telescopes magical skies"),
    _event("concert attendance", "purple", "dark", "lamp speaker stars",
           "cheering with a lively crowd at live music", "cheering lively crowd music"),
    _event("museum tour", "cream", "brown", "frame vase frame",
           "exploring historical exhibits in dim spotlights",
           "exploring historical exhibits spotlights"),
    _event("car driving", "sunset", "grey", "car tower sun",
           "driving a scenic countryside road", "driving scenic countryside road"),
    _event("gym workout", "steel", "red", "barbell lamp barbell",
           "exercising hard with energetic fitness equipment",
           "exercising energetic fitness equipment"),
    _event("farm visit", "azure", "field", "barn fence sun",
           "feeding animals on a local agriculture estate", "feeding animals local agriculture"),
    _event("airport waiting", "steel", "white", "plane screen bench",
           "waiting with travelers for a delayed flight", "waiting travelers delayed flight"),
    _event("fishing trip", "teal", "water", "boat fish pine",
           "fishing patiently on a serene lake", "fishing patiently serene lake"),
)

FAMILIAR = (
    _event("media interview", "cream", "grey", "lamp screen speaker",
           "answering questions for a broadcast crew", "answering questions broadcast crew"),
    _event("park jogging", "azure", "grass", "tree bench tree",
           "jogging past walking paths in nature", "jogging walking paths nature"),
    _event("dinner with friends", "brown", "red", "table cup lamp",
           "sharing a cozy evening meal together", "sharing cozy evening together"),
    _event("landmark visit", "azure", "grey", "tower flag tower",
           "visiting a cultural tourist attraction", "visiting cultural tourist attraction"),
    _event("zoo visit", "teal", "grass", "fence tree fish",
           "watching wildlife in its habitats", "watching wildlife habitats"),
    _event("shopping mall", "white", "cream", "bag screen lamp",
           "purchasing essentials in bustling stores", "purchasing essentials bustling stores"),
    _event("public lecture", "brown", "cream", "screen lamp bench",
           "listening attentively at the university", "listening attentively university"),
    _event("dance event", "purple", "red", "stars speaker lamp",
           "dancing to festive colorful lights", "dancing festive colorful lights"),
    _event("coffee shop reading", "cream", "brown", "cup table book",
           "drinking coffee in a quiet corner", "drinking coffee quiet corner"),
    _event("business meeting", "steel", "white", "table screen tower",
           "discussing corporate plans in a conference", "discussing corporate plans conference"),
    _event("grocery shopping", "white", "field", "bag table vase",
           "picking fresh food from stocked shelves", "picking fresh food stocked"),
    _event("marathon running", "pale", "grey", "flag tower flag",
           "running for the community along streets", "running community along streets"),
    _event("art gallery visit", "white", "cream", "frame frame lamp",
           "strolling past introspective artwork", "strolling introspective artwork"),
    _event("family gathering", "sunset", "brown", "house table lamp",
           "gathering with welcoming relatives at home", "gathering welcoming relatives home"),
    _event("bookstore browsing", "brown", "cream", "book book lamp",
           "browsing quaint old volumes leisurely", "browsing quaint volumes leisurely"),
    _event("mountain cabin retreat", "pale", "field", "house mountain pine",
           "retreating to a tranquil cabin", "retreating tranquil cabin"),
    _event("office working", "steel", "cream", "table screen book",
           "working productively at a modern desk", "working productively modern desk"),
    _event("train commute", "teal", "grey", "train tower lamp",
           "commuting by rail in a daily routine", "commuting rail daily routine"),
    _event("mountain hiking", "azure", "field", "mountain sun pine",
           "hiking up to a refreshing view", "hiking refreshing view"),
    _event("school presentation", "cream", "field", "screen book flag",
           "presenting homework before a classroom", "presenting homework classroom"),
    _event("restaurant dining", "night", "red", "table lamp vase",
           "dining in elegant upscale decor", "dining elegant upscale decor"),
    _event("city bike ride", "pale", "white", "bike tower tree",
           "cycling through urban traffic", "cycling urban traffic"),
    _event("fashion show", "purple", "white", "lamp frame lamp",
           "admiring glamorous models and trends", "admiring glamorous models trends"),
    _event("train station waiting", "sunset", "white", "train bench screen",
           "standing on a platform before departure", "standing platform before departure"),
    _event("charity event", "sunset", "red", "flag table flag",
           "donating to a good cause in a hall", "donating good cause hall"),
    _event("nature photography", "teal", "grass", "camera tree mountain",
           "capturing beauty with a lens", "capturing beauty lens"),
    _event("library studying", "brown", "grey", "book lamp book",
           "studying for a difficult examination", "studying difficult examination"),
    _event("boat trip", "sunset", "water", "boat sun mountain",
           "sailing down a calm river", "sailing calm river"),
    _event("biking trail", "teal", "sand", "bike tree bike",
           "riding on dappled sunlight ground", "riding dappled sunlight"),
    _event("city walk", "night", "grey", "tower tower lamp",
           "wandering downtown past vibrant shops", "wandering downtown vibrant shops"),
)
# fmt: on
