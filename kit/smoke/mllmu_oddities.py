"""Published oddities of MLLMU-Bench, in a few rows of the embedded data.

None of them changes a record: the loader reads the answers, and leaves out and counts the rest.
Rows are chosen by ID. What is odd here has been seen in the published data or is handled by code
that reads it: right answers that are no letters, `Additional_*` entries, entries without an answer
or without an ID.
"""

import copy
from typing import Any

Row = dict[str, Any]

NOTHING_RIGHT = "None of the above"
WITH_TEXT, TEXT_ALONE, NO_OPTION = 2, 3, 4  # IDs of profiles
ADDITIONAL, NO_ANSWER, NO_ID = 2, 3, 4  # IDs of rows of ft_Data


def odd_profile(row: Row) -> Row:
    """Return a profile with its right answers in another published form, if it is one of those."""
    made, number = copy.deepcopy(row), int(row["ID"])
    choices = made["Classification_Task"]["Image_Textual_Questions"]
    first = choices[0]
    text = first["Options"][first["Correct_Answer"]]
    if number == WITH_TEXT:
        first["Correct_Answer"] = f"{first['Correct_Answer']}. {text}"
    if number == TEXT_ALONE:
        first["Correct_Answer"] = text
    if number == NO_OPTION:
        choices.append(first | {"Correct_Answer": NOTHING_RIGHT})
    return made


def odd_pairs(pairs: list[dict[str, str]], key: str) -> list[dict[str, str]]:
    """Return the pairs of a row of `ft_Data` with their ID, and odd entries in a few rows."""
    made, number = [{"ID": key, **pair} for pair in pairs], int(key)
    if number == ADDITIONAL:
        asked = {"Additional_ID": key, "Additional_question": "Who is near this person?"}
        made.append(asked | {"Additional_answer": "Nobody"})
    if number == NO_ANSWER:
        made.append({"ID": key, "Question": "Who is near this person?"})
    if number == NO_ID:
        made = [dict(pair) for pair in pairs]
    return made
