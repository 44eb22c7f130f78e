"""The glossary of a report."""

TERMS = {
    "Target": "what a method is asked to forget: people, events or both, for example.",
    "Forget set, retain set": "the records to be forgotten, and those to be kept.",
    "System": "one model that answers: Vanilla, Retain-only, or one method with one target and "
    "one seed.",
    "Cluster": "all answers about one person, or about one event where events are forgotten. A "
    "record without either, such as a yes/no question, is a cluster of its own. Clusters are "
    "resampled as a whole, because answers about one person are right or wrong together.",
    "n": "the number of answers that have a value.",
    "Absent": "there is no value, for the stated reason. An absent value is never counted as 0.",
    "Over-forgets, collapsed": "marks of damage; the rule is below the tables.",
    "Forgot nothing, under-forgets": "marks of methods that still know what they should have "
    "forgotten; the rule is below the tables.",
    "Tuned, untuned": "learning rate and one option of a tuned method were chosen among declared "
    "attempts, on images that no table reports. An untuned one has the values of the manifest.",
    "Eligible": "there is something to forget: Vanilla knows it, and Retain-only does not.",
    "Canary": "a check that every adapter changes the model at all.",
    "Engine agreement": "a check that the answers are those of the model that was trained.",
    "Headline metric": "the one metric of a column that the tables print. rows.csv has all others.",
    "Verdict on a method": "the outcome of all attacks together: behavioural (forgotten knowledge "
    "comes back), durable (it stays away), or the reason why neither can be said.",
    "Resampled": "how an interval is computed: the units (clusters or answers) are repeatedly "
    "drawn "
    "with replacement, as if other people or other questions had been sampled.",
    "Detectable": "the smallest distance from the threshold of a claim that this many units would "
    "show in 4 of 5 runs. A larger value means that the claim was tested less sharply.",
    "Margin, equivalence": "the difference at which two values still count as the same: of two "
    "systems in one result (margin), or of one claim in two results (equivalence).",
    "Agreement": "how well two readings match: of two engines that read the same answers (engine "
    "agreement), or of a column's ranking of methods and their distance to Retain-only (Kendall's "
    "tau).",
    "Governed, stopped early": "a stop rule watches the training and ends it once the forgotten "
    "answers are no likelier than chance. Without a stop rule (ungoverned), gradient ascent "
    "continues to its last step.",
    "Behavioural suppression": "the answers change and the weights do not: all knowledge is still "
    "in the model.",
    "Points": "differences of two values in percent.",
}
