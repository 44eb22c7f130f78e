"""How to read the page of answers: the sentences that it prints."""

READING = (
    "A card is one record: its question, the expected answer, and what each system said. Vanilla "
    "has learnt everything; Retain-only never saw the forget set.",
    "Known is the value of the column's headline metric for this one answer, turned so that 1 "
    "means that the system knows and 0 that it does not. A dash: the metric has no value here.",
    "A method leaks where it knows a record of Efficacy, Generality or Reworded by 0.5 or more. "
    "Something is lost where it knows a record that should be kept by less. The limit of 0.5 is "
    "the kit's own.",
    "A method differs from Retain-only where one of the two knows the answer (0.5 or more) and "
    "the other does not. It leaks only under attack where an attack, and nothing else, brings the "
    "answer back.",
    "Collapsed is the mark of the report's tables: unrelated knowledge is lost as well, so the "
    "method's forgetting says nothing.",
    "Escapes such as \\x1b and \\u202e stand for characters that a browser would act on: control "
    "characters, and marks that turn the direction of a text.",
    "Keys: / searches, the arrows turn pages, Escape leaves a single record. The address names the "
    "record or the filters, so it can be passed on.",
)
