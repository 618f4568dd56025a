"""Dates as people write them, into one form: "3rd of March 99" becomes 1999-03-03, character by character.

The pairs are made here. `unrolled train translate dates.tsv --tokens char` does the same with a file, keeps a
run, and says what the nearest known date and a network without memory get right: hardly one.
"""

import datetime
import random

from unrolled import Translator

PAIRS, JUDGED, EPOCHS = 3000, 200, 6.0


def ordinal(day: int) -> str:
    ending = "th" if 10 <= day <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


def written(date: datetime.date, draw: random.Random) -> str:
    """The date in one of six ways; of the year, sometimes only its end."""
    day, year = date.day, draw.choice([f"{date:%Y}", f"{date:%y}"])
    ways = [
        f"{ordinal(day)} of {date:%B} {year}",
        f"{date:%B} {day}, {year}",
        f"{day} {date:%b} {year}",
        f"{date:%A}, {date:%B} the {ordinal(day)}, {year}",
        f"{day}.{date.month}.{year}",
        f"{date:%b} {day} {year}",
    ]
    return draw.choice(ways)


def pairs(count: int, seed: int = 0) -> dict[str, str]:
    """Different dates from 1950 to 2049, so that two digits say which year is meant."""
    draw, found = random.Random(seed), dict[str, str]()
    while len(found) < count:
        date = datetime.date(1950, 1, 1) + datetime.timedelta(draw.randrange(36_524))
        found[written(date, draw)] = date.isoformat()
    return found


def main() -> None:
    every = list(pairs(PAIRS + JUDGED).items())
    (sources, targets), (unseen, right) = (
        zip(*part, strict=True) for part in (every[JUDGED:], every[:JUDGED])
    )
    model = Translator(tokens="char", hidden=64, batch=32, epochs=EPOCHS, learning_rate=5e-3)
    model.fit(sources, targets, verbose=True)
    for text in ("3rd of March 99", "Friday, July the 4th, 2025"):
        print(f"{text:30} {model.predict([text])[0]}")
    print(f"{model.score(unseen, right):.1%} of {JUDGED} dates that it has not seen are right to the letter")


if __name__ == "__main__":
    main()
