"""Handwritten digits, read from top to bottom: each is a sequence of eight rows of eight pixels.

The data come with scikit-learn. The same network without memory, which adds up what it makes of each row by
itself, cannot tell in which order the rows came.
"""

import numpy as np
from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs]
from sklearn.model_selection import train_test_split  # pyright: ignore[reportMissingTypeStubs]

from unrolled import SequenceClassifier

EPOCHS = 12.0


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Shapes: images ``[E, 8, 8]``, the steps first; digits ``[E]``."""
    found = load_digits()
    return found.images, found.target  # pyright: ignore[reportAttributeAccessIssue]


def main() -> float:
    """Learns from three quarters of the digits; gives the accuracy on the others."""
    x, y = digits()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    model = SequenceClassifier(cell="gru", hidden=48, epochs=EPOCHS, learning_rate=5e-3, memoryless=False)
    model.fit(x_train, y_train)
    judged = model.evaluate(x_test, y_test)
    print(f"accuracy {judged.confusion.accuracy:.3f}, macro-F1 {judged.confusion.macro_f1:.3f}")
    for mistake in judged.mistakes[:3]:
        print(f"{mistake.where}: a {mistake.truth}, taken for {mistake.said}, {mistake.sure:.0%} sure")
    print("the first digit, likeliest classes:")
    shares = model.predict_proba(x_test[:1])[0]
    for k in np.argsort(-shares)[:3]:
        print(f"  {model.classes_[k]}  {shares[k]:.3f}  (it is a {y_test[0]})")
    return judged.confusion.accuracy


if __name__ == "__main__":
    main()
