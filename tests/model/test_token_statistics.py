"""Statistics of single tokens: by hand on a table of four tokens, and by another route."""

import math

import pytest
import torch

from kit.model.token_statistics import apart, token_statistics
from tests.toys.policy import END, OTHER, TABLE, A, B

AFTER_A = torch.tensor(TABLE[A], dtype=torch.float64).log()  # 0.1, 0.2, 0.3, 0.4


def test_four_numbers_worked_out_by_hand():
    found = token_statistics(AFTER_A.expand(1, 2, 4), torch.tensor([[B, END]]))
    assert found.logprob[0].tolist() == pytest.approx([math.log(0.4), math.log(0.2)])
    assert found.rank[0].tolist() == [1, 3]
    mean = sum(p * math.log(p) for p in TABLE[A])
    assert found.entropy[0].tolist() == pytest.approx([-mean] * 2)
    square = sum(p * math.log(p) ** 2 for p in TABLE[A])
    assert found.deviation[0].tolist() == pytest.approx([math.sqrt(square - mean**2)] * 2)


def test_rank_one_is_argmax_also_where_tokens_are_equally_likely():
    even = torch.full((4, 1, 4), 0.25).log()
    ids = torch.tensor([[0], [1], [2], [3]])
    assert token_statistics(even, ids).rank.flatten().tolist() == [1, 2, 3, 4]
    generator = torch.Generator().manual_seed(1)
    distribution = torch.randint(0, 3, (5, 6, 7), generator=generator).float().log_softmax(-1)
    ids = torch.randint(0, 7, (5, 6), generator=generator)
    hits = token_statistics(distribution, ids).rank == 1
    assert hits.equal(distribution.argmax(-1) == ids)
    assert 0 < hits.float().mean() < 1


def test_a_uniform_distribution_has_the_entropy_log_v_and_no_deviation():
    found = token_statistics(torch.full((1, 1, 64), 1 / 64).log(), torch.tensor([[5]]))
    assert found.entropy.item() == pytest.approx(math.log(64))
    assert found.deviation.item() == pytest.approx(0, abs=1e-4)


def test_impossible_tokens_leave_numbers_and_a_certain_one_has_no_entropy():
    certain = torch.tensor([[[0.0, -math.inf, -math.inf]]])
    found = token_statistics(certain, torch.tensor([[0]]))
    assert [each.item() for each in found] == [0.0, 1, 0.0, 0.0]


def test_a_position_does_not_depend_on_its_company():
    generator = torch.Generator().manual_seed(2)
    distribution = torch.randn((3, 4, 9), generator=generator).log_softmax(-1)
    ids = torch.randint(0, 9, (3, 4), generator=generator)
    together = token_statistics(distribution, ids)
    for row in range(3):
        alone = token_statistics(distribution[row : row + 1], ids[row : row + 1])
        for whole, one in zip(together, alone, strict=True):
            assert torch.allclose(whole[row : row + 1].double(), one.double(), atol=1e-6)


def test_distances_worked_out_by_hand_and_symmetric():
    left, right = (torch.tensor(table[A], dtype=torch.float64) for table in (TABLE, OTHER))
    found = apart(left.log().view(1, 1, 4), right.log().view(1, 1, 4))
    middle = (left + right) / 2

    def entropy(p):
        return -(p * p.log2()).sum()

    by_entropies = entropy(middle) - (entropy(left) + entropy(right)) / 2
    assert found.divergence.item() == pytest.approx(by_entropies.item())
    # (0.1, 0.2, 0.3, 0.4) and (0.2, 0.3, 0.3, 0.2)
    assert found.distance.item() == pytest.approx(math.sqrt(0.01 + 0.01 + 0.04))
    back = apart(right.log().view(1, 1, 4), left.log().view(1, 1, 4))
    assert back.divergence.item() == pytest.approx(found.divergence.item())


def test_equal_distributions_are_not_apart_and_disjoint_ones_entirely():
    same = torch.tensor(TABLE).log().unsqueeze(0)
    assert [each.abs().max().item() for each in apart(same, same)] == pytest.approx(
        [0, 0], abs=1e-6
    )
    one, other = torch.tensor([[[0.0, -math.inf]]]), torch.tensor([[[-math.inf, 0.0]]])
    assert [each.item() for each in apart(one, other)] == pytest.approx([1, math.sqrt(2)])
