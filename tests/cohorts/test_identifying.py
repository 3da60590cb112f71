"""Columns by which people are found are told and left out, those that sound alike are kept."""

import pandas as pd
import pytest

from cohorts.sources.meaning.identifying import find_identifying

IDENTIFYING = {
    "English": (
        "city Home_City birth_city city_of_residence place_of_birth postcode PostCode ZIP zip5 "
        "patient_zip ip_address IPAddress client_ip IP e-mail EMailAddress contact_email HomePhone "
        "phone_2 mobile_number fax address_line_1 house_number emergency_contact latitude "
        "name_last caregiver_name informant_name study_partner_name spouse_name gp_name next_of_kin"
    ),
    "German": (
        "PLZ wohn_plz Wohnort Stadt Geburtsort Straße Hausnummer Anschrift Telefonnummer "
        "Handynummer E-Mail-Adresse IP-Adresse Vorname Familienname Mädchenname Maedchenname "
        "Versichertennummer Krankenkassennummer Tel_privat Straße_Hausnummer"
    ),
    "French": (
        "ville Ville_de_naissance commune code_postal adresse adresse_ip adresse_mail courriel "
        "téléphone numéro_de_téléphone prénom nom_de_famille lieu_de_naissance rue domicile "
        "nom_famille nom_naissance numéro_dossier num_tel tel_domicile"
    ),
    "Spanish": (
        "ciudad municipio código_postal codigo_postal dirección direccion_ip correo_electrónico "
        "teléfono_móvil apellidos nombre_completo calle domicilio DNI lugar_de_nacimiento "
        "nombre_del_paciente primer_nombre segundo_apellido teléfono_contacto número_historia"
    ),
}
OTHERS = (
    "capacity ethnicity velocity zip_score chip hip tip ip_left city_size inner_city stadt_land "
    "rural address_recall name_recall street_drug_use nombre_de_scans initial_score "
    "phonemic_fluency mobility port specificity plasticity region country site home contact pt "
    "nom_region address_of_clinic birth_weight_g drug_name site_name test_name face_name_score "
    "caregiver_burden informant_score partner gp nombre_visitas numero_visites nir nif lat"
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
            "change": ["+1.2345678", "+12.345678", "-0.2345678"],
        }
    )
    assert find_identifying(table) == ([], ["reached_by", "called"])


@pytest.mark.parametrize(
    "written",
    [
        ["2024-31-03", "2024-15-02", "2024-05-04"],
        ["20243103", "20241502", "20240504"],
        ["3 janvier 1950", "1er février 1950", "5 août 1960"],
        ["3 déc. 1950", "1 fév 1950", "15 avr. 1960"],
        ["3 de enero de 1950", "5 de septiembre de 1961", "9 de agosto del 2001"],
        ["03-ene-1950", "05/dic/1961", "09-abr-71"],
        ["3. März 1950", "5. Dezember 1960", "1. Mär. 1970"],
    ],
)
def test_dates_are_found_as_four_languages_write_them(written: list[str]) -> None:
    assert find_identifying(pd.DataFrame({"gesehen": written})) == (["gesehen"], [])


def test_what_looks_like_a_date_of_no_calendar_is_kept() -> None:
    table = pd.DataFrame({"code": ["2024-31-13", "2024-45-02"], "dose": ["3 de 1950", "5 mg 1960"]})
    assert find_identifying(table) == ([], [])
