"""Columns by which people are found are told and left out, those that sound alike are kept."""

import pandas as pd
import pytest

from cohorts.sources.meaning.identifying import find_identifying

IDENTIFYING = {
    "English": (
        "city Home_City birth_city city_of_residence place_of_birth postcode PostCode ZIP zip5 "
        "patient_zip ip_address IPAddress client_ip IP e-mail EMailAddress contact_email HomePhone "
        "phone_2 mobile_number fax address_line_1 house_number emergency_contact latitude"
    ),
    "German": (
        "PLZ wohn_plz Wohnort Stadt Geburtsort Straße Hausnummer Anschrift Telefonnummer "
        "Handynummer E-Mail-Adresse IP-Adresse Vorname Familienname Mädchenname Maedchenname "
        "Versichertennummer"
    ),
    "French": (
        "ville Ville_de_naissance commune code_postal adresse adresse_ip adresse_mail courriel "
        "téléphone numéro_de_téléphone prénom nom_de_famille lieu_de_naissance rue domicile"
    ),
    "Spanish": (
        "ciudad municipio código_postal codigo_postal dirección direccion_ip correo_electrónico "
        "teléfono_móvil apellidos nombre_completo calle domicilio DNI lugar_de_nacimiento"
    ),
}
OTHERS = (
    "capacity ethnicity velocity zip_score chip hip tip ip_left city_size inner_city stadt_land "
    "rural address_recall name_recall street_drug_use nombre_de_scans initial_score "
    "phonemic_fluency mobility port specificity plasticity region country site home contact pt"
)


@pytest.mark.parametrize("language", IDENTIFYING)
def test_names_of_columns_tell_who_somebody_is(language: str) -> None:
    names = IDENTIFYING[language].split()
    assert find_identifying(pd.DataFrame([["7"] * len(names)], columns=names)) == ([], names)


def test_names_that_sound_alike_are_kept() -> None:
    names = OTHERS.split()
    assert find_identifying(pd.DataFrame([["7"] * len(names)], columns=names)) == ([], [])


def test_addresses_are_found_by_what_they_are() -> None:
    table = pd.DataFrame(
        {
            "reached_by": ["ann@example.org", None, "bo.b@example.co.uk"],
            "called": ["+49 731 5000", "+1 (555) 010-9999", "none"],
            "version": ["7.4.1.0", "6.0.10", "7.4.1.0"],
            "score": ["+1.5", "+2", "-3"],
        }
    )
    assert find_identifying(table) == ([], ["reached_by", "called"])
