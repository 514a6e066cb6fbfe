"""Fields of forms that come back."""

from server.web.fields import Field, complained, filled

FIELDS = (Field("name", "Name", value="before"), Field("password", "Password", "password"))


def test_a_refused_form_keeps_what_was_typed_but_no_password() -> None:
    name, password = filled(FIELDS, {"name": "typed", "password": "secret"}, {"name": "is wrong"})
    assert (name.value, name.complaint) == ("typed", "is wrong")
    assert (password.value, password.complaint) == ("", "")


def test_a_complaint_leads_to_its_field_and_others_stand_alone() -> None:
    wrong = {"name": "is required", "password": "Too short a password", "": "Try later"}
    assert complained(FIELDS, wrong) == [
        ("name", "Name is required"),
        ("password", "Too short a password"),
        "Try later",
    ]
