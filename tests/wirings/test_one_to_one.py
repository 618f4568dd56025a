"""The network without time beside torch.nn's modules."""

import pytest
import torch

from unrolled.errors import OptionError
from unrolled.wirings import Dropouts, Features, OneToOne, Tokens


def test_it_is_linear_layers_with_relu_between() -> None:
    model = OneToOne(Features(3, mean=[1, 2, 3]), outputs=4, layers=2, hidden=6)
    linear = [torch.nn.Linear(3, 6), torch.nn.Linear(6, 6), torch.nn.Linear(6, 4)]
    for mine, other in zip([*model.layers, model.head], linear, strict=True):
        other.load_state_dict(mine.state_dict())
    plain = torch.nn.Sequential(linear[0], torch.nn.ReLU(), linear[1], torch.nn.ReLU(), linear[2])
    x = torch.randn(7, 2, 3)
    torch.testing.assert_close(model(x), plain(x - torch.tensor([1.0, 2, 3])))
    torch.testing.assert_close(model(x[0]), model(x)[0])


def test_without_layers_it_is_linear() -> None:
    model, ids = OneToOne(Tokens(5, 3), outputs=4, layers=0), torch.randint(5, (7, 2))
    expected = model.inputs(ids) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(ids), expected)


def test_each_dropout_is_one_mask_at_its_place_for_all_steps() -> None:
    """The masks are drawn again from the same seed and put into the plain formula."""
    model, x = (
        OneToOne(Features(3), 4, 2, 6, Dropouts(input=0.5, layers=0.5, output=0.5)),
        torch.randn(5, 2, 3),
    )
    random = torch.Generator().manual_seed(5)
    masks = [(torch.rand((2, width), generator=random) >= 0.5) * 2.0 for width in (3, 6, 6)]
    h = x
    for layer, mask in zip(model.layers, masks[:2], strict=True):
        h = torch.relu(layer(h * mask))
    expected = model.head(h * masks[2])
    torch.testing.assert_close(model(x, generator=torch.Generator().manual_seed(5)), expected)


def test_what_has_no_meaning_is_refused() -> None:
    with pytest.raises(OptionError, match="nothing goes from one step to the next"):
        OneToOne(Features(3), 4, dropouts=Dropouts(steps=0.1))
    with pytest.raises(OptionError, match="0 makes it a linear model"):
        OneToOne(Features(3), 4, layers=-1)


def test_classes_of_points_are_learned_that_no_line_divides() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 2)
    inside = (x.norm(dim=1) < 1).long()
    model = OneToOne(Features(2), outputs=2, hidden=32)
    optimiser, loss = torch.optim.Adam(model.parameters(), lr=0.05), torch.zeros(())
    for _ in range(200):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), inside)
        loss.backward()
        optimiser.step()
    assert loss < 0.1, "a line reaches 0.6"
