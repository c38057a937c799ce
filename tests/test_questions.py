"""A question's number depends on its source and its own id, and on nothing else."""

from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.questions import question_key


def test_the_number_of_a_question_is_the_same_on_every_machine():
    assert question_key("default", "1") == 7201507431380339334


def test_one_id_on_two_sites_is_two_questions():
    assert question_key("a", "1") != question_key("b", "1")
    assert question_key("a", "11") != question_key("a1", "1")


@repeatable
@given(st.text(), st.text())
def test_a_number_fits_a_signed_column_of_sql(source, id):
    assert 0 <= question_key(source, id) < 2**63


def test_ten_thousand_ids_have_ten_thousand_numbers():
    assert len({question_key("default", str(number)) for number in range(10_000)}) == 10_000
