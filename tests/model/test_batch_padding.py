"""What a batch puts around prompts: kinds of tokens, and pictures of several sizes."""

import torch

from kit.model.batches import Batcher, _joined
from kit.model.prompts import Encoded

PAD = 9


def batch_inputs(prompts, answers):
    """Return a batch's inputs, without a processor."""
    batcher = Batcher.__new__(Batcher)
    batcher._device, batcher._pad = torch.device("cpu"), PAD
    return batcher._inputs(prompts, answers)


def test_an_answer_is_text_and_so_is_padding_whatever_the_prompt_is():
    """A token of an answer that counted as one of the image would be seen by all of the prompt."""
    image = {"pixel_values": torch.zeros(1, 3, 2, 2)}
    long = Encoded([5, 5, 6], {"token_type_ids": [1, 1, 0]}, image)
    short = Encoded([5], {"token_type_ids": [1]}, image)
    found = batch_inputs([long, short], [[7, 8], [7]])
    assert found["input_ids"].tolist() == [[5, 5, 6, 7, 8], [PAD, PAD, PAD, 5, 7]]
    assert found["token_type_ids"].tolist() == [[1, 1, 0, 0, 0], [0, 0, 0, 1, 0]]
    assert found["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 0, 1, 1]]
    assert found["pixel_values"].shape == (2, 3, 2, 2)


def test_pictures_of_several_sizes_are_padded_with_zeros_at_the_end_of_each_axis():
    """A picture two high and three wide, and one three high and one wide."""
    found = _joined([torch.ones(1, 2, 3), torch.ones(1, 3, 1)])
    assert found.tolist() == [
        [[1, 1, 1], [1, 1, 1], [0, 0, 0]],
        [[1, 0, 0], [1, 0, 0], [1, 0, 0]],
    ]


def test_pictures_of_one_size_are_joined_as_they_are():
    first, second = torch.rand(1, 2, 3), torch.rand(2, 2, 3)
    assert torch.equal(_joined([first, second]), torch.cat([first, second]))
