"""Columns that identify people, whatever they are called: they are told, and not kept."""

import re
import unicodedata
from typing import Final

import pandas as pd

from cohorts.sources.meaning.covariates import list_covariates
from cohorts.sources.records import Records, join_names
from cohorts.sources.values import parse_text

_MONTH: Final = (
    r"(jan|ene|feb|f[eé]v|mar|m[aä]r|apr|avr|abr|may|mai|jun|juin|jul|juil|aug|ago|ao[uû]"
    r"|sep|oct|okt|nov|dec|d[eé]c|dez|dic)[a-z]{0,7}\.?"
)
"""As it is called, or cut after three letters or more, in English, German, French and Spanish."""

_DATE: Final = re.compile(
    # 2024-03-31, 2024/3, 20240331; 31/03/2024, 3-31-24, 31.3.2024; 31MAR2024, Mar 31, 2024
    r"((19|20)\d{2}(?P<a>[-/.])(0?[1-9]|1[0-2])((?P=a)(0?[1-9]|[12]\d|3[01]))?"
    r"|(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{4}|\d{6})?(\.0)?"
    # the day second: 2024-31-03, 20243103
    r"|(19|20)\d{2}(?P<c>[-/.]?)(1[3-9]|2\d|3[01])(?P=c)(0?[1-9]|1[0-2])"
    r"|\d{1,2}(?P<b>[/-])\d{1,2}(?P=b)((19|20)\d{2}|\d{2})|\d{1,2}\.\d{1,2}\.(19|20)\d{2}"
    # two digits each: 7.4.10 is a version
    r"|(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.\d{2}"
    rf"|([a-z]+day,? )?\d{{1,2}}(er)?([-./ ]{{0,2}}| de ){_MONTH}([-,/ ]{{0,2}}| del? )"
    r"(\d{4}|\d{2})"
    rf"|{_MONTH}[- ]?(\d{{1,2}},? )?(19|20)\d{{2}})([T ,].*)?",
    re.IGNORECASE,
)

_ADDRESS: Final = re.compile(
    r"[^@\s]+@[^@\s]+\.[a-z]{2,}|\+(?!\d+\.\d+$)[1-9]\d?[\d ()/.-]{7,}", re.IGNORECASE
)
"""An address of e-mail; a number of a telephone, with its country, which no +1.234567 is."""

_GLANCED_AT: Final = 20
_LOOKED_AT: Final = 1000
"""So many values tell whether a column may hold dates, and whether it does."""

_NUMBER: Final = "(no|number|nr|nummer|numero)?"
_NAMES: Final = re.compile(
    "(patient|patienten|pt|subject|participant|proband|client|user|remote|home|private|work"
    "|contact|emergency|residence|residential|postal|mailing|birth"
    "|caregiver|carer|informant|(study)?partner|spouse|physician|doctor|gp)*("
    # names and initials
    "((first|last|middle|given|family|full|maiden)*|[flm])names?|names?(first|last|given|family)"
    "|surname|forename|initials?"
    "|name|(vor|nach|familien|geburts|ruf|ma(e)?dchen)name"
    "|prenoms?|noms?|nom(de)?(famille|naissance|jeunefille)"
    "|(primer|segundo)?nombre|nombres|nombrecompleto|(primer|segundo)apellido|apellidos?"
    # numbers that institutions give
    f"|(ssn|socialsecurity|medicalrecord|nhs|mrn){_NUMBER}|(national|hospital|nhs)(id|no|number|nr)"
    "|passport(no|number)?|(reisepass|personalausweis|sozialversicherungs|versicherten"
    "|krankenversicherten|krankenversicherungs|krankenkassen|steuer|fall)(nr|nummer)|steuerid"
    "|numero(de)?(secu|securitesociale|passeport|dossier)|numero(de)?(seguridadsocial|historia"
    "|historiaclinica|pasaporte)|historiaclinica|dni|iban"
    # e-mail, telephone, networks
    "|e?mails?(address|adresse|id)?|courriel|adresse(mail|email|electronique)"
    "|correo(s|electronico)?|direccion(de)?correo(electronico)?"
    f"|(tele|mobile|cell)?phone{_NUMBER}|mobile{_NUMBER}|telephone|tel{_NUMBER}|fax{_NUMBER}"
    "|telefon(nr|nummer|privat|mobil)?|handy(nr|nummer)?|(mobil|ruf)(nr|nummer)|(numero(de)?)?telephone(portable|fixe)?"
    "|(no|num|numero)tel"
    "|(numero(de)?)?(telefono(movil|fijo)?|movil|celular)|emergencycontact|nextofkin"
    "|ip(v|addr|address|adresse)?|(adresse|direccion)ip|macaddress"
    # where somebody lives or was born
    "|(street|postal)?addr(ess)?(line)?|street(name|address)?|house(no|number)"
    "|(wohn|post)?adresse|anschrift|strasse(n?name|n?nummer|n?nr)?(hausnummer)?|hausnummer"
    "|adresse(postale)?|rue|domicil(e|io)|calle|direccion(postal)?"
    "|zip(code)?|post(al)?code|plz|postleitzahl|code?postale?|codigopostal"
    "|(home)?(city|town)(name|ofresidence|ofbirth)?|municipality|placeof(birth|residence)"
    "|birthplace|(wohn|geburts|heimat)?(ort|stadt)|(wohn)?gemeinde|ortschaft"
    "|(ville|commune|lieu)(de)?(naissance|residence)|ville|commune"
    "|(ciudad|municipio|lugar)(de)?(nacimiento|residencia)|ciudad|municipio|localidad"
    "|(gps)?(latitude|longitude|coordinates)|gps|breitengrad|la(e)?ngengrad|latitud|longitud"
    ")(patient|participant|subject|home|work|private|privat|domicile|contacto|(del?)?paciente)?"
)
"""By the whole name, joined, in English, German, French and Spanish."""

_WORDS: Final = frozenset(
    {
        *("phone", "telephone", "email", "surname", "forename", "mrn", "ssn", "initials", "inits"),
        *("postcode", "zipcode", "plz", "postleitzahl", "vorname", "nachname", "prenom"),
        *("apellido", "apellidos", "courriel"),
    }
)
"""By one word beside any others, as in `contact_email`."""


def leave_out_identifying(records: Records) -> None:
    """Leave out covariates that are dates, or names, numbers and addresses of people.

    A date beside the visit's own tells no strategy anything that holds for other people, and with
    an age it leads back to one person. What is mapped to a name of one's own is kept unless it is
    of dates.
    """
    frame = records.frame
    stated = {new for new, old in records.column_names.items() if new != old}
    covariates = list_covariates(frame)
    dated, named = find_identifying(frame[covariates])
    named = [name for name in named if name not in stated]
    for found, what in ((dated, "dates identify"), (named, "they identify")):
        if found:
            own = join_names(records.get_source_name(name) for name in found)
            records.notes.append(f"Left out, because {what} people: {', '.join(own)}.")
    records.frame = frame.drop(columns=[*dated, *named])


def find_identifying(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the columns of dates, and those of names, numbers and addresses of people.

    Parameters
    ----------
    frame
        Covariates, as they are written in a table.

    Examples
    --------
    >>> table = pd.DataFrame({"Wohnort": ["Ulm"], "zip_score": [3], "seen": ["1.2.1999"]})
    >>> find_identifying(table)
    (['seen'], ['Wohnort'])
    """
    names = [str(name) for name in frame]
    dated = [name for name in names if _hold(frame[name], _DATE)]
    others = [name for name in names if name not in dated]
    return dated, [n for n in others if _is_named_so(n) or _hold(frame[n], _ADDRESS)]


def _is_named_so(name: str) -> bool:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("\u00df", "ss")
    plain = "".join(
        c for c in unicodedata.normalize("NFKD", parted) if not unicodedata.combining(c)
    )
    words = re.findall("[a-z]+", plain)
    return not _WORDS.isdisjoint(words) or _NAMES.fullmatch("".join(words)) is not None


def _hold(values: pd.Series, kind: re.Pattern[str]) -> bool:
    """Return whether most values of a column are of a kind, such as dates in whatever form."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return kind is _DATE
    known = values.dropna()
    if not any(_match(known.iloc[:_GLANCED_AT], kind)):
        return False
    matches = _match(known.iloc[:_LOOKED_AT], kind)
    return 2 * sum(matches) > len(matches)


def _match(values: pd.Series, kind: re.Pattern[str]) -> list[bool]:
    texts = parse_text(values.drop_duplicates()).dropna()
    return [kind.fullmatch(text) is not None for text in texts]
