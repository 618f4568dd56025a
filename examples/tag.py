"""Labels for every word, and for every frame: two small taggers on data made here.

In the words, "saw" is a verb after a pronoun and a noun after an article. The frames are those of a machine
that is hot some time after it was switched on: what it is now is not to be seen in one frame.
"""

import numpy as np

from unrolled import SequenceTagger

PRONOUNS, ARTICLES, NOUNS, VERBS = ["I", "you"], ["a", "the"], ["saw", "duck", "fly"], ["saw", "duck", "fly"]


def sentences(count: int, random: np.random.Generator) -> tuple[list[list[str]], list[list[str]]]:
    """Words and their labels."""
    words, labels = [], []
    for _ in range(count):
        said = [(random.choice(PRONOUNS), "B-NP"), (random.choice(VERBS), "B-VP")]
        if random.random() < 0.7:
            said += [(random.choice(ARTICLES), "B-NP"), (random.choice(NOUNS), "I-NP")]
        words.append([str(word) for word, _ in said])
        labels.append([label for _, label in said])
    return words, labels


def machine(count: int, random: np.random.Generator) -> tuple[list[np.ndarray], list[list[str]]]:
    """Current [T, 1], which is on or off for a while, and the state of the machine."""
    x, labels = [], []
    for _ in range(count):
        on = np.repeat(random.random(12) < 0.5, random.integers(3, 12, 12))
        heat = np.array([on[max(0, t - 5) : t + 1].sum() for t in range(len(on))])
        x.append((on + random.normal(0, 0.2, len(on)))[:, None])
        labels.append(["hot" if h > 4 else "cold" for h in heat])
    return x, labels


def main() -> None:
    random = np.random.default_rng(0)
    words = SequenceTagger(hidden=16, embedding=8, epochs=12.0, batch=8, learning_rate=0.02)
    words.fit(*sentences(120, random))
    said = ["you", "duck", "the", "duck"]
    print(*map("/".join, zip(said, words.predict([said])[0], strict=True)))
    print(f"chunk F1 on other sentences: {words.score(*sentences(50, random)):.3f}")

    frames = SequenceTagger(hidden=16, epochs=20.0, batch=4, learning_rate=0.01).fit(*machine(40, random))
    x, labels = machine(20, random)
    print(f"accuracy on other machines:  {frames.score(x, labels):.3f}")
    coming = frames.stream(x[0].tolist())
    print("as they come:", *(frames.classes_[next(coming).argmax()] for _ in range(12)))


if __name__ == "__main__":
    main()
