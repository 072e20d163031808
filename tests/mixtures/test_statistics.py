"""Statistics of conversations, and a style that is fitted to them."""

import numpy as np
import pytest
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm

from pyannote_pix2seq.mixtures.fit import endless_voices, fit, simulated
from pyannote_pix2seq.mixtures.statistics import NAMES, distances, measure, of_annotation, of_plan
from pyannote_pix2seq.mixtures.styles import STYLES, Conversation


def conversation():
    """Ten seconds: A 0-4, B 3-5, pause, A 7-8, a short pause that is none, A 8.1-9."""
    annotation = Annotation()
    for start, end, label in [(0, 4, "A"), (3, 5, "B"), (7, 8, "A"), (8.1, 9, "A")]:
        annotation[Segment(start, end)] = label
    return annotation


def test_statistics_by_hand():
    measured = measure([of_annotation(conversation(), 10.0)])
    np.testing.assert_allclose(np.sort(measured.turn), [2, 2, 4])
    np.testing.assert_allclose(measured.pause, [2])
    np.testing.assert_allclose(measured.overlap, [1 / 7])
    np.testing.assert_allclose(np.sort(measured.share), [2 / 8, 6 / 8])
    np.testing.assert_allclose(measured.rate, [18])
    np.testing.assert_allclose(measured.speakers, [2])


def test_windows_cut_turns_and_short_ends_are_left_out():
    annotation = Annotation()
    annotation[Segment(0, 70)] = "A"
    np.testing.assert_allclose(measure([of_annotation(annotation)]).turn, [30, 30])
    np.testing.assert_allclose(measure([of_annotation(annotation, 76.0)]).turn, [30, 30, 10])


def test_where_nobody_speaks():
    measured = measure([of_annotation(Annotation(), 30.0)])
    assert measured.rate.tolist() == [0] and measured.speakers.tolist() == [0] and not len(measured.turn)
    with pytest.raises(ValueError, match="no conversation"):
        measure([])


def test_distance_to_itself_is_zero():
    measured = simulated(Conversation(), endless_voices(), 10)
    assert set(distances(measured, measured).values()) == {0.0}


def talks(style, count=30):
    return [of_plan(style(np.random.default_rng((3, i)), endless_voices(), 30.0)) for i in range(count)]


def test_fit_comes_closer():
    true = Conversation(turn=(4.0, 0.4), overlap=(0.0, 0.1), pause=1.5, num_speakers=(0, 0, 1))
    reference = measure(talks(true))
    fitted = fit(talks(true), num_trials=60)
    before, after = (distances(reference, simulated(s, endless_voices(), 60, 5)) for s in (Conversation(), fitted))
    assert after["turn"] < before["turn"] and after["rate"] < before["rate"] and after["speakers"] < before["speakers"]
    assert fit(talks(true), num_trials=5) == fit(talks(true), num_trials=5)


@pytest.mark.shared
def test_fitted_to_meetings_it_is_closer_than_other_styles(shared):
    references = []
    for folder in sorted((shared / "data" / "conversations").glob("ami_[dE]*")):
        rttm = next(iter([*folder.glob("*.only_words.rttm"), *folder.glob("*.rttm")]))
        annotation = next(iter(load_rttm(rttm).values()), Annotation())
        if "pair" not in folder.name:
            references.append(of_annotation(annotation, 30.0 if "debug" in folder.name else None))
    assert len(references) == 11
    reference = measure(references)
    apart = {
        name: distances(reference, simulated(style, endless_voices(), 200, seed=9))
        for name, style in {**{n: s() for n, s in STYLES.items()}, "fitted": fit(references)}.items()
    }
    for name in NAMES:
        for other in ("Artificial", "Independent"):
            assert not apart["fitted"][name] >= apart[other][name], (name, other)
