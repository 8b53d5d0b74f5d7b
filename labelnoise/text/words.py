"""Words and sentence templates of the generated news, in English and German."""

# ruff: noqa: E501 (lists read better whole)

from __future__ import annotations

__all__ = ["WORDS"]


def _split(**lists: str) -> dict[str, list[str]]:
    return {name: [line.strip() for line in text.split("|")] for name, text in lists.items()}


_EN = _split(
    templates="""PER of ORG flew to LOC on DAY . | ORG opened a new ROLE office in LOC . | LOC beat ORG NUM to NUM on DAY .
        | the ROLE of LOC , PER , met PER in LOC . | PER said ORG would THING its THING . | ORG shares fell NUM percent in LOC .
        | in LOC , the ROLE praised PER . | PER and PER joined ORG . | ORG bought ORG for NUM million dollars .
        | no ROLE was hurt in LOC , PER said . | it was a long DAY for the ROLE . | the THING cost NUM dollars , the ROLE said .
        | PER won the race in LOC ahead of PER . | ORG lost to LOC . | police in LOC arrested a ROLE on DAY .
        | PER , a former ROLE at ORG , lives in LOC . | " the THING will come , " PER said in LOC . | LOC and ORG signed a THING .
        | Baker and cook alike feared the THING . | the ROLE from LOC sued ORG . | ORG named PER as its ROLE . | May was cold , the ROLE said .""",
    shared="Washington | Lincoln | Chelsea | Paris | Jackson | Houston | Florence | Victoria | Hamilton | Sydney | Madison | Austin",
    surnames="Baker | Cook | Young | Bush | Page | Rice | Stone | King | Fox | May | Miller | Clark | Evans | Novak | Silva | Okafor",
    first="Anna | John | Maria | Peter | Chelsea | Paris | Grace | Mark | Ruth | David | Ivan | Aisha | Jack | Laura",
    places="London | Berlin | Boston | Rome | Reading | Nice | Mobile | Cairo | Lima | Turkey | Chad | Oslo | Bath | Kenya | Chile",
    before_place="New | North | South | West | Port | Lake",
    firms="Apple | Shell | Target | Orange | Visa | Reuters | Ford | Philips | Arsenal | Everton | Gap | Oracle | Siemens",
    legal="Inc | Bank | United | City | Group | University | Airlines | & Sons",
    syllables="ka | ro | ve | len | dor | mi | sta | bru | ti | gal | fen | os | ri | ham | lo | zu",
    ROLE="baker | cook | king | page | minister | coach | judge | president | miner | fox | teacher | reading",
    THING="target | stone | orange | apple | deal | rice | contract | gap | page | price | shell | plan",
    DAY="Monday | Friday | Sunday | May | March",
    NUM="2 | 3 | 7 | 12 | 25 | 40",
)
_DE = _split(
    templates="""PER von ORG reiste am DAY nach LOC . | ORG eröffnete in LOC ein neues Büro . | LOC schlug ORG mit NUM zu NUM .
        | der ROLE von LOC , PER , traf PER in LOC . | PER sagte , ORG brauche den THING . | Aktien von ORG fielen in LOC um NUM Prozent .
        | in LOC lobte der ROLE PER . | PER und PER gingen zu ORG . | ORG kaufte ORG für NUM Millionen Euro .
        | kein ROLE wurde in LOC verletzt , so PER . | es war ein langer DAY für den ROLE . | der THING kostete NUM Euro , sagte der ROLE .
        | PER gewann in LOC vor PER . | ORG verlor gegen LOC . | am DAY nahm die Polizei in LOC einen ROLE fest .
        | PER , früher ROLE bei ORG , lebt in LOC . | " der THING kommt " , sagte PER in LOC . | LOC und ORG schlossen einen THING .
        | Koch und Müller fürchteten den THING . | der ROLE aus LOC verklagte ORG . | ORG machte PER zum ROLE . | zum Essen kam der ROLE nicht .""",
    shared="Essen | Hagen | Fulda | Bremen | Hamm | Oldenburg | Paderborn | Basel | Kassel | Wien | Lübeck | Gera",
    surnames="Müller | Koch | Schneider | Fischer | Richter | Kaiser | König | Wolf | Berg | Stein | Vogel | Schmidt | Yilmaz | Nowak",
    first="Anna | Hans | Maria | Peter | Florian | Heidi | Karl | Jonas | Lena | Emre | Petra | Ulrich | Wolf | Rosa",
    places="Berlin | Rom | Köln | Mainz | Siegen | Münster | Halle | Wesel | Celle | Aachen | Bonn | Prag | Ulm | Worms | Leer",
    before_place="Bad | Neu | Ober | Alt | Sankt",
    firms="Bosch | Siemens | Allianz | Schalke | Linde | Adler | Merkur | Tempo | Springer | Bayer | Union | Hansa",
    legal="AG | GmbH | Bank | Universität | Werke | & Söhne | Gruppe",
    syllables="ka | ro | ve | len | dorf | mi | sta | bru | ti | gal | fen | os | ri | ham | lo | zu",
    ROLE="Koch | Richter | Fischer | König | Kaiser | Minister | Trainer | Schneider | Müller | Lehrer | Springer",
    THING="Vertrag | Stein | Berg | Preis | Plan | Wolf | Vogel | Adler | Streit | Markt",
    DAY="Montag | Freitag | Sonntag | Mittwoch",
    NUM="2 | 3 | 7 | 12 | 25 | 40",
)

#: Word lists and templates by language.
WORDS: dict[str, dict[str, list[str]]] = {"en": _EN, "de": _DE}
