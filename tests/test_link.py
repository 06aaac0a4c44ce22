"""The communication link: closed forms, textbook curves, intervals, and what the command line says."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binom, levy_stable, norm

from cnncomm_bench import cli
from cnncomm_bench._utils.errors import RunFolderError, UsageError
from cnncomm_bench.experiments.link import coding, frames, modulation, receiver
from cnncomm_bench.experiments.link.chain import Chain, Streams
from cnncomm_bench.experiments.link.channel import Channel, Received
from cnncomm_bench.experiments.link.channel_noise import Burst, Stable, Tone, jammer
from cnncomm_bench.experiments.link.counting import Counts, Rule, exact
from cnncomm_bench.experiments.link.link_settings import Curve
from cnncomm_bench.experiments.link.link_summary import reaches
from cnncomm_bench.experiments.link.ordering import alpha_order, complete
from cnncomm_bench.experiments.link.simulation import FULL, Settings, open_link, simulate

CONFIDENCE = 1 - 1e-4  # of all comparisons of one test together: it fails by chance once in 10,000 seeds


def measured(snr_db: float, *, errors=10**9, bits=200_000, seed=0, **changes) -> Counts:
    """Errors of uncoded BPSK in Gaussian noise, unless changed."""
    plain = {
        "noise": Stable(2.0), "modulation": "bpsk", "code": "none", "ruler": "dispersion", "frame": 512,
        "receiver": "gaussian", "interleaver": "none",
    }  # fmt: skip
    return Chain(Curve(**{**plain, **changes})).measure(snr_db, Rule(errors, bits), seed)


def agrees(counted: Counts, expected: float, comparisons: int) -> bool:
    """Whether a closed form lies in the exact interval, at a confidence for all comparisons of a test together."""
    _, low, high = exact(
        counted.bit_errors, counted.bits, stopped=counted.stopped, confidence=1 - (1 - CONFIDENCE) / comparisons
    )
    return low <= expected <= high


GRID = (-10.0, 0.0, 5.0, 10.0, 20.0)


@pytest.mark.parametrize("alpha", [2.0, 1.5, 1.0, 0.5])
@pytest.mark.parametrize("errors", [1000, 10**9])
def test_uncoded_bpsk_is_its_closed_form(alpha, errors):
    for snr_db in GRID:
        dispersion = math.sqrt(0.5) * 10 ** (-snr_db / 20)
        if alpha == 2:
            expected = norm.sf(math.sqrt(10 ** (snr_db / 10)))
        elif alpha == 1:
            expected = 0.5 - math.atan(1 / dispersion) / math.pi
        else:
            expected = float(levy_stable.sf(1, alpha, 0, scale=dispersion))
        assert agrees(measured(snr_db, errors=errors, noise=Stable(alpha)), expected, 8 * len(GRID))


def test_a_wrong_convention_would_be_seen():
    """Es/N0 in place of the SNR of a real sample, 3 dB off, lies outside the intervals of the test above."""
    assert not agrees(measured(5.0), norm.sf(math.sqrt(2 * 10**0.5)), 8 * len(GRID))


def test_the_geometric_ruler_fixes_the_geometric_power():
    for alpha in (2.0, 1.0, 0.5):
        received = Channel(Stable(alpha), "geometric", 20.0).send(torch.zeros(1, 400_000), 1, np.random.default_rng(0))
        logs = received.samples.double().abs().log()
        expected = 0.5 * (math.log(10**-2 / 2) - np.euler_gamma)
        # The variance of log|X| is pi^2 / 6 (1 / alpha^2 + 1 / 2); five standard errors, 6e-7 each.
        error = math.sqrt(math.pi**2 / 6 * (1 / alpha**2 + 0.5) / logs.numel())
        assert abs(logs.mean() - expected) < 5 * error


@pytest.mark.parametrize("noise", [Stable(0.5), Stable(2.0), Burst(5)])
def test_the_realised_ruler_fixes_the_power_in_every_frame(noise):
    signal = modulation.find("16qam").modulate(
        torch.randint(0, 2, (20, 256), generator=torch.Generator().manual_seed(0))
    )
    received = Channel(noise, "realised", 13.0).send(signal, 2, np.random.default_rng(0))
    power = (received.samples - signal).double().square().sum(1)
    realised = 10 * torch.log10(signal.double().square().sum(1) / power)
    assert (realised - 13.0).abs().max() < 1e-3


def test_qpsk_and_16qam_are_their_closed_forms():
    """Bits of a symbol depend on each other in 16-QAM, so that its interval is by symbols: at most two errors each."""
    for snr_db in (0.0, 5.0, 10.0):
        root = math.sqrt(10 ** (snr_db / 10))
        assert agrees(measured(snr_db, modulation="qpsk"), norm.sf(root), 6)
        a = root / math.sqrt(5)  # half the distance of neighbouring amplitudes over the noise's deviation
        expected = 0.75 * norm.sf(a) + 0.5 * norm.sf(3 * a) - 0.25 * norm.sf(5 * a)
        counted = measured(snr_db, modulation="16qam")
        error = math.sqrt(2 * expected / counted.bits)  # two errors at once double the variance at most
        assert abs(counted.bit_errors / counted.bits - expected) < norm.isf(1e-4 / 12) * error


def test_headers_of_16qam_are_scrambled(monkeypatch):
    """A frame's number begins with zeros, the inner amplitude: unscrambled, a header has a fifth of the power."""
    sent, send = [], Channel.send
    monkeypatch.setattr(Channel, "send", lambda self, signal, *rest: sent.append(signal) or send(self, signal, *rest))
    counted = measured(40.0, modulation="16qam", frame=64, bits=64 * 200)
    assert counted.bit_errors == 0
    header = sent[0][:200, :4].square()  # of eight bits, which are zero in the first 256 frames
    assert header.mean(1).tolist() == pytest.approx([1.0] * 200)
    assert measured(40.0, modulation="16qam", frame=64, code="conv", bits=6400).bit_errors == 0


def test_mapping_is_the_standard_ones():
    from sionna.phy.mapping import Demapper, Mapper

    generator = torch.Generator().manual_seed(0)
    for name, width in (("qpsk", 2), ("16qam", 4)):
        ours = modulation.find(name)
        # The standard's labels take I and Q in turn; ours the bits of I, then those of Q.
        order = [0, 2, 1, 3] if width == 4 else [0, 1]
        bits = torch.randint(0, 2, (3, 40 * width), generator=generator)
        standard = bits.reshape(3, -1, width)[..., order].reshape(3, -1)
        symbols = Mapper("qam", width, device="cpu")(standard.float())
        sent = torch.view_as_real(symbols).flatten(1) * math.sqrt(2)
        assert torch.allclose(ours.modulate(bits), sent, atol=1e-6)
        received = sent + 0.5 * torch.randn(sent.shape, generator=generator)
        theirs = Demapper("maxlog", "qam", width, device="cpu")(
            torch.view_as_complex((received / math.sqrt(2)).reshape(3, -1, 2)), torch.tensor(0.25)
        )
        llrs = receiver.demodulate(Received(received, 0.25, torch.ones(1, 1)), ours, receiver.gaussian)
        assert torch.allclose(llrs.reshape(3, -1, width)[..., order].reshape(3, -1), theirs, atol=1e-4)


def test_a_symbol_that_is_not_full_is_filled_up():
    bits = torch.ones(2, 5, dtype=torch.uint8)
    assert modulation.find("16qam").modulate(bits).shape == (2, 4)
    assert modulation.find("qpsk").modulate(bits).shape == (2, 6)


def viterbi_bound(distances, weights, ebn0_db):
    """Union bound on the bit error rate of soft decisions at rate 1/2 (Proakis and Salehi 2008, Section 8.2)."""
    return sum(w * norm.sf(math.sqrt(d * 10 ** (ebn0_db / 10))) for d, w in zip(distances, weights))


def test_a_short_convolutional_code_keeps_its_union_bound():
    """Constraint length 3, generators 5 and 7: T has the weights (d - 4) 2^(d - 5), and the bound is tight at 5 dB.

    Below it lies the rate at which one path of the smallest distance, 5, is preferred.
    """
    code, ebn0_db, batch = coding.Convolutional(3), 5.0, 4000
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(0, 2, (batch, 250), generator=generator, dtype=torch.uint8)
    coded = code.encode(bits)
    deviation = 10 ** (-ebn0_db / 20)  # Es/N0 = Eb/N0 / 2 = 1 / (2 deviation^2)
    ratios = -((1 - 2 * coded.float()) + deviation * torch.randn(coded.shape, generator=generator))
    wrong = (code.decode(ratios) != bits).numpy()
    upper = viterbi_bound(range(5, 30), [(d - 4) * 2 ** (d - 5) for d in range(5, 30)], ebn0_db)
    lower = norm.sf(math.sqrt(5 * 10 ** (ebn0_db / 10)))
    counts = Counts(Rule(10**9, 10**9), independent=False)
    counts.add(wrong, np.zeros(batch, dtype=bool))
    row = counts.row()
    assert row["ber_high"] > lower
    assert row["ber_low"] < upper
    assert upper < 3 * lower  # the bounds are close


@pytest.mark.parametrize(
    ("ebn0_db", "low", "high"),
    [
        # Weights of distances 10, 12, ...: Conan 1984. Soft decisions reach 10^-3 between 2.5 and 3 dB.
        (2.5, 1e-3, 3e-3),
        (3.5, 0.0, viterbi_bound(range(10, 22, 2), [36, 211, 1404, 11633, 77433, 502690], 3.5)),
    ],
)
def test_the_convolutional_code_keeps_textbook_numbers(ebn0_db, low, high):
    row = measured(ebn0_db, code="conv", bits=100_000).row()  # at rate 1/2 Eb/N0 = Es/N0 + 3 dB = SNR
    assert row["ber_high"] > low
    assert row["ber_low"] < high


def test_ldpc_beats_the_convolutional_code_and_not_shannon():
    """At Eb/N0 = 0 dB the limit of rate 1/2, 0.19 dB for binary input, is not reached: nearly all frames fail."""
    assert measured(0.0, code="ldpc", errors=30).row()["fer_low"] > 0.8
    ldpc = measured(2.5, code="ldpc", errors=30, bits=60_000).row()
    conv = measured(2.5, code="conv", errors=30, bits=60_000).row()
    assert ldpc["fer_high"] < conv["fer_low"]


def test_intervals_cover_and_are_exact():
    """The ends of the exact intervals are where a tail of the law holds 2.5 %, by the laws themselves."""
    _, low, high = exact(7, 50)
    assert binom.sf(6, 50, low) == pytest.approx(0.025)
    assert binom.cdf(7, 50, high) == pytest.approx(0.025)
    _, low, high = exact(7, 50, stopped=True)  # at most, and at least, 50 trials until the 7th error
    assert binom.sf(6, 50, low) == pytest.approx(0.025)
    assert binom.cdf(6, 49, high) == pytest.approx(0.025)
    assert exact(5, 5)[2] == 1.0


def test_a_point_stops_at_the_error_it_waits_for():
    wrong = np.zeros((4, 10), dtype=bool)
    wrong[1, 3] = wrong[1, 4] = wrong[3, 9] = True
    by_bits = Counts(Rule(2, 100), independent=True)
    by_bits.add(wrong, np.ones(4, dtype=bool))
    assert (by_bits.bits, by_bits.bit_errors, by_bits.done) == (15, 2, True)
    by_frames = Counts(Rule(1, 100), independent=False)
    by_frames.add(wrong, np.ones(4, dtype=bool))
    assert (by_frames.frames, by_frames.bits, by_frames.bit_errors, by_frames.undetected) == (2, 20, 2, 1)
    assert by_frames.done


def test_bursts_of_errors_widen_the_interval():
    """Ten frames all wrong and 990 right: that is ten events, not 10,000."""
    wrong = np.zeros((1000, 1000), dtype=bool)
    wrong[:10] = True
    counts = Counts(Rule(10**9, 10**9), independent=False)
    counts.add(wrong, np.zeros(1000, dtype=bool))
    row = counts.row()
    assert (row["ber_low"], row["ber_high"]) == pytest.approx(exact(10, 1000)[1:], rel=1e-6)


@pytest.mark.parametrize(("frames", "rate"), [(400, 0.005), (400, 0.01), (2000, 0.002), (2000, 0.005), (400, 0.3)])
def test_intervals_of_coded_bits_cover_where_few_frames_fail(frames: int, rate: float):
    """Wrong frames as Viterbi's decoder leaves them: 8 wrong bits of 512 on average, exponentially distributed.

    The interval of an average frame covers at 0.89 here; a nominal one misses the bound below in one of 10,000 seeds.
    """
    rng, draws, covered = np.random.default_rng(frames), 400, 0
    sizes = np.arange(1, 513)
    law = np.exp(-sizes / 8)
    law /= law.sum()
    truth = rate * float(law @ sizes) / 512
    for _ in range(draws):
        wrong = np.zeros((frames, 512), dtype=bool)
        failed = rng.binomial(frames, rate)
        wrong[:failed] = np.arange(512) < rng.choice(sizes, failed, p=law)[:, None]
        counts = Counts(Rule(10**9, 10**9), independent=False)
        counts.add(wrong, np.zeros(frames, dtype=bool))
        row = counts.row()
        covered += row["ber_low"] <= truth <= row["ber_high"]
    assert covered >= binom.ppf(1e-4, draws, 0.95)


def test_the_checksum_notices_all_but_one_in_65536():
    generator = np.random.default_rng(0)
    sent = frames.build(300, 64, 65_500, generator)
    assert frames.accepted(sent).all()
    assert [int("".join(map(str, row[:16])), 2) for row in sent[[0, 35, 36]]] == [65_500, 65_535, 0]
    for size in range(1, 17):  # every burst of up to 16 bits is noticed
        wrong = sent.copy()
        wrong[:, 20] ^= 1
        wrong[:, 20 + size - 1] ^= size > 1
        assert not frames.accepted(wrong).any()
    garbage = generator.integers(0, 2, (300_000, 40), dtype=np.uint8)
    passed = int(frames.accepted(garbage).sum())
    low, high = binom.interval(CONFIDENCE, len(garbage), 2**-16)
    assert low <= passed <= high


def test_a_tone_on_the_carrier_is_its_closed_form_and_whole_offsets_are_cancelled():
    """BPSK errs where sqrt(2) 10^(-SNR/20) cos(phase) < -1: a frame fails whole or not at all for one sign."""
    snr_db = -5.0
    expected = math.acos(1 / math.sqrt(2 * 10**0.5)) / math.pi
    counted = measured(snr_db, noise=Tone(), ruler="realised", frame=64, bits=640_000)
    # Frames are independent, and at most all of one's bits fail together.
    error = math.sqrt(expected * (1 - expected) / counted.frames)
    assert abs(counted.bit_errors / counted.bits - expected) < norm.isf(5e-5) * error
    assert measured(3.1, noise=Tone(), ruler="realised").bit_errors == 0  # the tone's peak is below the amplitude
    assert measured(-20.0, noise=Tone(1.0), ruler="realised").bit_errors == 0
    near, far = (measured(-5.0, noise=Tone(x), ruler="realised").bit_errors for x in (0.0, 0.6))
    assert far < near


def test_a_burst_has_its_closed_form():
    """Windows of w of n samples: about w/n Q(sqrt(SNR w/n)), the energy in a window being fixed."""
    n, w, snr_db = 512, 128, 6.0
    counted = measured(snr_db, noise=Burst(w), ruler="realised", bits=500_000)
    energy = n * 10 ** (-snr_db / 10)
    # One coordinate of a uniform point on a sphere: its square over the energy is Beta(1/2, (w - 1)/2).
    from scipy.stats import beta

    expected = w / n * 0.5 * beta.sf(1 / energy, 0.5, (w - 1) / 2)
    _, low, high = exact(counted.bit_errors, counted.bits, confidence=CONFIDENCE)
    assert low <= expected <= high


def test_an_interleaver_spreads_bursts():
    burst = {"noise": Burst(64), "ruler": "realised", "code": "conv", "errors": 100, "bits": 60_000}
    plain = measured(6.0, **burst).row()
    spread = measured(6.0, interleaver="block", **burst).row()
    assert spread["fer_high"] < plain["fer_low"]


def test_receivers_made_for_impulses_help_where_there_are_some():
    rates = {
        name: measured(10.0, noise=Stable(1.0), code="conv", receiver=name, errors=100, bits=60_000).row()
        for name in ("gaussian", "clipping", "cauchy")
    }
    assert rates["cauchy"]["fer_high"] < rates["clipping"]["fer_low"]
    assert rates["clipping"]["fer_high"] < rates["gaussian"]["fer_low"]


@pytest.mark.parametrize("name", sorted(receiver.RECEIVERS))
def test_receivers_bear_the_heaviest_tails(name):
    for code in ("conv", "ldpc"):
        row = measured(50.0, noise=Stable(0.1), code=code, receiver=name, bits=20_000).row()
        assert 0 <= row["ber"] <= 1
    received = Received(torch.tensor([[1e30, -1e30, 0.0]]), 1e-5, torch.full((1, 1), 1e-3))
    assert torch.isfinite(receiver.demodulate(received, modulation.find("16qam"), receiver.find(name))).all()


def test_alphas_and_systems_share_their_draws():
    bits = [Streams.of(1, 512, 5.0).noise.random(3).tolist() for _ in range(2)]
    assert bits[0] == bits[1] != Streams.of(1, 512, 7.5).noise.random(3).tolist()
    same = [measured(5.0, seed=seed, bits=20_000).bit_errors for seed in (0, 0, 1)]
    assert same[0] == same[1] != same[2]


def test_longer_frames_look_better_by_a_power_that_does_not_exist():
    """Cauchy noise has no power: the longer the frame, the larger what is normalised away."""
    short, long = (
        measured(10.0, noise=Stable(1.0), ruler="realised", frame=length, bits=400_000).row() for length in (64, 4096)
    )
    assert long["ber_high"] < short["ber_low"]


def test_a_table_and_its_order(tmp_path):
    settings = Settings.of(alphas=[2, 1], snr_db=[0, 10, 20], codes=["none"], max_bits=40_000, frames=[64])
    table = simulate(settings, tmp_path / "a", quiet=True)
    names = ["alpha", "modulation", "code", "ruler", "frame", "snr_db", "bits", "errors", "ber", "ber_low", "ber_high"]
    assert list(table.columns)[:11] == names
    assert set(table.ruler) == {"dispersion", "geometric", "realised"}
    assert ((table.ber_low <= table.ber) & (table.ber <= table.ber_high)).all()
    pd.testing.assert_frame_equal(open_link(tmp_path / "a"), table, check_dtype=False)
    order = alpha_order(table).set_index("ruler")
    assert order.loc["dispersion", "verdict"] == "supported"
    assert order.loc["realised", "disagree_db"].startswith("0")
    gone = table[~((table.noise == "stable:alpha=2") & (table.snr_db == 20))]
    assert len(complete(gone)) == len(table)
    curve = table[(table.ruler == "dispersion") & (table.alpha == 2)]
    first, second = curve.ber.iloc[:2]  # on the way from the one to the other: straight in dB and logarithm
    between = reaches(curve, math.sqrt(first * second))
    assert (between.snr_db, between.bound) == (pytest.approx(5.0, abs=1e-9), "")
    assert [str(reaches(curve, 0.5)), str(reaches(curve[:1], 0.1))] == ["< 0", "> 0"]
    # An SNR at which no error was seen bounds the one that is looked for; it is not that one.
    clear = curve.assign(errors=[first, 0, 0], ber=[first, 0.0, 0.0])
    assert str(reaches(clear, 1e-3)) == "< 10"


def test_a_link_is_resumed(tmp_path):
    settings = Settings.of(alphas=[2], snr_db=[0], codes=["none"], frames=[64, 128], max_bits=10_000)
    whole = simulate(settings, tmp_path / "a", quiet=True)
    folder = tmp_path / "a"
    (folder / "ber.csv").write_text("\n".join((folder / "ber.csv").read_text().splitlines()[:3]) + "\n")
    info = json.loads((folder / "link.json").read_text())
    (folder / "link.json").write_text(json.dumps({**info, "finished": False}))
    with pytest.raises(RunFolderError, match="not finished"):
        open_link(folder)
    again = simulate(settings, folder, quiet=True)
    pd.testing.assert_frame_equal(again, whole, check_dtype=False)
    with pytest.raises(RunFolderError, match="other settings"):
        simulate(settings.model_copy(update={"seed": 1}), folder, quiet=True)
    for content, where in (("{", "damaged link: Expecting"), ('{"settings": 3}', "damaged link at settings")):
        (folder / "link.json").write_text(content)
        with pytest.raises(RunFolderError, match=where):
            open_link(folder)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"codes": ["turbo"]}, "no code is called 'turbo'"),
        ({"modulations": ["qam16"]}, "did you mean '16qam'"),
        ({"alphas": [2.5]}, "alpha is in"),
        ({"alphas": [0]}, "alpha is in"),
        ({"alphas": [math.nan]}, "alpha is in"),
        ({"alphas": ["two"]}, "alphas"),
        ({"alphas": []}, "nothing to simulate"),
        ({"snr_db": ""}, "SNR grid ''"),
        ({"snr_db": []}, "SNR grid"),
        ({"max_bits": 0}, "expected at least 1"),
        ({"min_errors": -1}, "expected at least 1"),
        ({"frames": [8]}, "40 to"),
        ({"frames": [10**9]}, "40 to"),
        ({"rulers": ["peak"]}, "'peak' does not exist"),
        ({"interleavers": ["random"]}, "'random' does not exist"),
        ({"receivers": ["myriad"]}, "no receiver"),
        ({"jammers": ["tone:freq=1"]}, "tone:offset=0.5"),
        ({"jammers": ["sweep"]}, "no jammer"),
        ({"bursts": [0]}, "at least 1"),
        ({"codes": []}, "at least one"),
        ({"alphas": [], "jammers": ["tone"], "rulers": ["dispersion"]}, "realised ruler"),
    ],
)
def test_bad_input_is_refused(choices, message):
    with pytest.raises(UsageError, match=message) as caught:
        Settings.of(**choices)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value)
    assert caught.value.arguments


def test_limits_of_bits():
    uncoded, coded = Settings.of(alphas=[2], rulers=["dispersion"], receivers=["gaussian"]).curves()
    full = Settings.of(**FULL)
    assert [full.rule(curve).bits for curve in (uncoded, coded)] == [10_000_000, 500_000]
    assert [Settings.of(max_bits=7).rule(curve).bits for curve in (uncoded, coded)] == [7, 7]


def test_ldpc_frames_have_a_limit():
    with pytest.raises(UsageError, match="at most 8448"):
        coding.find("ldpc")(9000)


def test_without_sionna_the_extra_is_named(monkeypatch):
    import importlib

    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(Exception, match=r"pip install 'cnncomm-bench\[comms\]'"):
        coding.find("conv")(512)


def test_jammers_by_name():
    assert [jammer(text).spec for text in ("white", "tone", "tone:offset=0.5")] == [
        "stable:alpha=2", "tone", "tone:offset=0.5",
    ]  # fmt: skip


def call(capsys, *arguments) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        code = stop.code
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_the_command_line(capsys, tmp_path):
    small = ["--snr", "0,10", "--code", "none", "--max-bits", "20000", "--frame", "64"]
    code, out, _ = call(capsys, "link", "--alpha", "2,1", *small, "--out", tmp_path / "a")
    assert code == 0
    assert "The smaller alpha, the more errors?" in out
    assert {p.name for p in (tmp_path / "a").iterdir()} == {"ber.csv", "ber.png", "ber.svg", "link.json"}
    code, out, _ = call(capsys, "link", "--jammer", "white,tone", "--burst", "1,8", *small, "--out", tmp_path / "b")
    assert code == 0
    assert set(open_link(tmp_path / "b").noise) == {"stable:alpha=2", "tone", "burst:length=1", "burst:length=8"}


@pytest.mark.parametrize(
    "wrong",
    [
        ["--alpha", "3"], ["--alpha", "two"], ["--code", "turbo"], ["--modulation", "8psk"], ["--snr", ""],
        ["--max-bits", "0"], ["--min-errors", "0"], ["--frame", "1e3"], ["--burst", "x"],
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(capsys, tmp_path, wrong):
    code, _, err = call(capsys, "link", *wrong, "--out", tmp_path / "a")
    assert code == 2
    assert len(err.splitlines()) == 1
    assert wrong[0] in err
    assert not (tmp_path / "a").exists()
