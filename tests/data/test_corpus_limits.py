"""What a large text may take: little memory, and a full disk is no disaster."""

import subprocess
import sys
from pathlib import Path

import pytest

MEMORY = """
import resource, sys
from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus, Streams

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

before = most()
config = LanguageModelConfig(sources=(sys.argv[1],), tokens=sys.argv[3])
corpus = Corpus.write(sys.argv[2], config)
window = Streams(corpus.train, 32, 128, carry=False).window(100)
print(most() - before, sum(corpus.characters.values()))
"""

FULL = """
import resource, sys
from unrolled.config import LanguageModelConfig
from unrolled.data import Corpus
from unrolled.errors import StorageError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    Corpus.write(sys.argv[2], LanguageModelConfig(sources=(sys.argv[1],)))
except StorageError as error:
    print(error)
"""


def run(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("tokens", ["char", "word"])
def test_a_text_larger_than_the_memory_it_takes(tmp_path: Path, tokens: str):
    megabytes = 100 if tokens == "char" else 40
    with (tmp_path / "big.txt").open("w") as file:
        for _ in range(megabytes):
            file.write("all work and no play\n" * 50_000)
    taken, characters = run(MEMORY, tmp_path / "big.txt", tmp_path / "d", tokens).split()
    assert int(characters) == megabytes * 50_000 * 21
    # What it takes is the same for any length: pieces, and 9 MB of counts for characters.
    assert int(taken) < 60


@pytest.mark.parametrize("room", [0, 4096, 50_000])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path, room: int):
    (tmp_path / "a.txt").write_text("some text\n" * 10_000)
    said = run(FULL, tmp_path / "a.txt", tmp_path / "d", room)
    assert f"{tmp_path / 'd'} must be written; got file too large" in said
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
