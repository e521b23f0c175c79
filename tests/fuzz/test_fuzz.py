"""The fuzz targets on a small corpus of mutations, the same at each run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import fuzz_digest, fuzz_framer, fuzz_message, fuzz_sdp
from tests.fuzz.kept import unpacked
from tests.fuzz.mutations import mutations

FOUND = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("module", [fuzz_message, fuzz_sdp, fuzz_framer, fuzz_digest])
def test_the_target_stands_two_thousand_mutations(module):
    for data in [*module.CORPUS, *mutations(module.CORPUS, 2000)]:
        module.target(data)


@pytest.mark.parametrize("module", [fuzz_message, fuzz_sdp, fuzz_framer, fuzz_digest])
def test_the_target_stands_what_the_fuzzer_found(module):
    """One file for all: what it found is many small inputs, each with its length in front."""
    found = unpacked((FOUND / module.__name__.rpartition("_")[2]).read_bytes())
    assert len(found) > 20
    for data in found:
        module.target(data)
