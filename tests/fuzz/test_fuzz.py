"""The fuzz targets on a small corpus of mutations, the same at each run."""

from __future__ import annotations

import pytest

from tests.fuzz import fuzz_digest, fuzz_framer, fuzz_message, fuzz_sdp
from tests.fuzz.mutations import mutations


@pytest.mark.parametrize("module", [fuzz_message, fuzz_sdp, fuzz_framer, fuzz_digest])
def test_the_target_stands_two_thousand_mutations(module):
    for data in [*module.CORPUS, *mutations(module.CORPUS, 2000)]:
        module.target(data)
