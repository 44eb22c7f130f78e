"""A tokenizer of the form that Llama 2 publishes, as LLaVA 1.5 has: a blank before all texts."""

from string import ascii_letters, digits, punctuation
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerFast

MARKS = ["<unk>", "<s>", "</s>", "<pad>", "<image>"]
BLANK = "\u2581"
MERGES = [(BLANK, "A"), ("d", "a"), (BLANK + "A", "da"), (BLANK, "B"), (BLANK, "C"), (BLANK, "D")]


def make_llama_tokenizer() -> Any:
    """Return it; words are letters, but for Ada and A to D with the blank before them."""
    signs = [*ascii_letters, *digits, *punctuation, "\n", BLANK]
    tokens = [*MARKS, *dict.fromkeys(signs), *("".join(pair) for pair in MERGES)]
    made = Tokenizer(models.BPE({t: n for n, t in enumerate(tokens)}, MERGES, unk_token="<unk>"))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend(BLANK), normalizers.Replace(" ", BLANK)]
    )
    made.decoder = decoders.Sequence([decoders.Replace(BLANK, " "), decoders.Strip(" ", 1, 0)])
    made.add_special_tokens(MARKS)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokens.index("<s>"))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>",
        unk_token="<unk>", extra_special_tokens={"image_token": "<image>"},
    )  # fmt: skip
