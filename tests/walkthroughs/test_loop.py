import numpy as np
import torch

import unrolled


def test_loop_and_layer_are_torchs():
    numbers = unrolled.walkthrough("loop").numbers
    theirs = torch.nn.RNN(32, 64, dtype=torch.float64)
    weights = {"weight_ih_l0": "W_xh", "weight_hh_l0": "W_hh", "bias_ih_l0": "b"}
    state = {name: torch.tensor(numbers[ours]) for name, ours in weights.items()}
    theirs.load_state_dict(state | {"bias_hh_l0": torch.zeros(64, dtype=torch.float64)})
    output = theirs(torch.tensor(numbers["x"]))[0].detach().numpy()
    assert output.shape == (100, 64)
    np.testing.assert_allclose(numbers["loop"], output, atol=1e-13)
    np.testing.assert_allclose(numbers["layer"], output, atol=1e-13)
    assert numbers["difference"] == np.abs(numbers["loop"] - numbers["layer"]).max()


def test_the_code_on_the_page_runs_alone():
    made = unrolled.walkthrough("loop")
    [code] = [part for part in made.sections[0].parts if not isinstance(part, str) and part.language == "py"]
    names: dict[str, object] = {"np": np, "Array": np.ndarray}
    exec("\n".join(code.lines), names)
    numbers = made.numbers
    again = names["bare_loop"](*(numbers[name] for name in ("x", "W_xh", "W_hh", "b")))  # type: ignore[operator]
    np.testing.assert_array_equal(again, numbers["loop"])
