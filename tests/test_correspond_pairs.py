"""The pairs of the paper's Fig. 2: evidence from small made folders, its verdicts, folders of strangers."""

import functools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cnncomm_bench import Run
from cnncomm_bench._utils import untrusted
from cnncomm_bench._utils.errors import RunFolderError, UsageError
from cnncomm_bench.cli import main
from cnncomm_bench.experiments.correspondence import as_text, correspond, evidence_folders, table_findings
from cnncomm_bench.experiments.correspondence.evidence_folders import Evidence
from cnncomm_bench.experiments.correspondence.finding import Finding, verdict_of
from cnncomm_bench.experiments.correspondence.paper_pairs import pairs
from cnncomm_bench.experiments.link import Settings, simulate
from cnncomm_bench.experiments.section5 import carrier_noise
from cnncomm_bench.results.claims import decide, write
from cnncomm_bench.results.statistics import Effect

ROOT = Path(__file__).parents[1]
RUN = ROOT / "tests" / "historic" / "run-v2"


@pytest.fixture(autouse=True)
def opened_once(monkeypatch):
    """The stored run is scored once for all tests."""
    monkeypatch.setattr(evidence_folders, "Run", SimpleNamespace(open=stored))


@functools.cache
def stored(_folder):
    return Run.open(RUN)


FIGURE_2 = [
    "input, amount of data / transmit power",
    "adversarial perturbation / channel noise",
    "convolution and pooling / modulation and demodulation",
    "features / carriers",
    "fully connected layer / decoding",
    "label / data",
    "capsule / frame",
]


def claim(name, effect=1.0, model="m", statement="made"):
    """Supported where the effect is positive, undecided where it is zero."""
    return decide(name, model, "realised", (effect, effect - 0.5, effect + 0.5), "made", statement=statement)


def harm(elsewhere):
    """Noise at the carrier that does as much harm as white noise, and noise elsewhere that does more, or less."""
    nothing, more = (Effect(at, at - 0.5, at + 0.5, 0.5, 0.5) for at in (0.0, elsewhere))
    return carrier_noise.Harm("CNN", "tone", 10.0, 0.5, 0.5, nothing, 0.5 + elsewhere, more)


def claims_folder(folder, *claims, marker="section5.json"):
    folder.mkdir(exist_ok=True)
    (folder / marker).write_text("{}")
    write(claims, folder / "claims.json")
    return folder


def curve(db, ber, *, spread=0.1, **columns):
    """Rows of a table of rates with intervals of +-10 %."""
    rates = np.asarray(ber, dtype=float)
    return pd.DataFrame(
        {"snr_db": np.asarray(db, dtype=float), "bits": 10_000, "errors": (rates * 10_000).astype(int), "ber": rates,
         "ber_low": rates * (1 - spread), "ber_high": np.minimum(1, rates * (1 + spread) + 1e-5), **columns}
    )  # fmt: skip


def link_curve(db, ber, **columns):
    usual = {"alpha": 1.0, "modulation": "bpsk", "code": "none", "ruler": "realised", "frame": 64, "frame_errors": 5,
             "interleaver": "none", "receiver": "gaussian", "noise": "stable:alpha=1", "undetected": 1}  # fmt: skip
    return curve(db, ber, **{**usual, **columns})


def special_folder(folder, gain_db=3.0):
    """A special CNN of rate 1/2 that errs as uncoded BPSK does at `gain_db` more SNR, and a code 1 dB better still."""
    folder.mkdir(exist_ok=True)
    db = np.arange(0, 20, 1.0)
    systems = {
        "special CNN, 8 bits in 4 x 4 samples": gain_db,
        "bpsk, uncoded, 64 bits": 0.0,
        "bpsk, conv, gaussian receiver, 64 bits": gain_db + 1,
    }
    parts = [
        curve(db, 0.5 * 10 ** (-(db + gain) / 4), spread=0.02, alpha=2.0, system=system, ruler="dispersion", fer=0.1,
              fer_low=0.05, fer_high=0.2)
        for system, gain in systems.items()
    ]  # fmt: skip
    pd.concat(parts)[list(evidence_folders.SPECIAL)].to_csv(folder / "special.csv", index=False)
    return folder


def bandwidth_folder(folder, small=(15.0, 14.0, 16.0), **more):
    folder.mkdir(exist_ok=True)
    rows = [(28, 784, 0.9, 12.0, 11.0, 13.0, 1680.0), (7, 49, 0.5, *small, 94.0)]
    table = pd.DataFrame(rows, columns=list(evidence_folders.BANDWIDTH)).assign(**more)
    table.to_csv(folder / "bandwidth.csv", index=False)
    return folder


def rows_of(result):
    return {f"{row.cnn} / {row.link}": row for row in result.pairs}


def test_the_pairs_are_the_papers_in_its_order():
    assert [f"{pair.cnn} / {pair.link}" for pair in pairs() if not pair.ours] == FIGURE_2
    text = " ".join((ROOT / "docs" / "paper.md").read_text().replace("\\[", "[").replace("\\]", "]").split())
    for pair in pairs():
        assert pair.ours or pair.quote in text
        assert all(source.command.startswith("cnncomm-bench ") for source in pair.sources)


def test_without_evidence_every_pair_says_what_to_type(tmp_path):
    nothing = claims_folder(tmp_path / "nothing")
    result = correspond(RUN, [nothing], tmp_path / "out")
    for row in rows_of(result).values():
        measured = any(finding.verdict for finding in row.findings)
        assert (row.verdict == "not measured") != measured
        assert row.missing
    assert not (tmp_path / "out" / "correspondence.png").exists()  # no link, no curves to lay on each other


@pytest.mark.parametrize(
    ("pair", "name", "marker"),
    [
        (FIGURE_2[0], "samples", "section5.json"),
        (FIGURE_2[0], "contrast", "section5.json"),
        (FIGURE_2[2], "transmission-order", "transmission.json"),
        (FIGURE_2[3], "features", "section5.json"),
        (FIGURE_2[3], "carriers", "section5.json"),
        (FIGURE_2[4], "decoding", "section5.json"),
        (FIGURE_2[5], "transmission-order", "transmission.json"),
        (FIGURE_2[6], "checkbits-gain", "section5.json"),
        (FIGURE_2[6], "capsules-pgd", "section5.json"),
    ],
)
def test_a_verdict_follows_from_the_claims(tmp_path, pair, name, marker):
    found = {}
    for effect in (1.0, -1.0, 0.0):
        folder = claims_folder(tmp_path / "claims", claim(name, effect), marker=marker)
        row = rows_of(correspond(RUN, [folder], tmp_path / "out"))[pair]
        found[effect] = row.verdict
        assert (row.findings[0].claim, row.findings[0].effect) == (name, effect)
        assert f"| **{row.verdict}** |" in (tmp_path / "out" / "correspondence.md").read_text()
    assert found == {1.0: "supported", -1.0: "contradicted", 0.0: "undecided"}


def test_verdicts_of_sources_are_not_outvoted_by_numbers():
    yes, no, open_, beside = (Finding(claim="c", about="", verdict=verdict)
                              for verdict in ("supported", "contradicted", "undecided", None))  # fmt: skip
    assert verdict_of([[yes, yes, open_], []]) == "supported"
    assert verdict_of([[yes, open_]]) == verdict_of([[yes, yes, yes, no]]) == "undecided"
    assert verdict_of([[yes], [no] * 9]) == verdict_of([[yes] * 9, [open_]]) == "undecided"
    assert verdict_of([[no], [no, beside]]) == "contradicted"
    assert verdict_of([[beside], []]) == "not measured"


def test_a_control_has_no_say_and_is_shown_where_it_fails(tmp_path):
    controls = [claim("decoding-control", 0.0, "quiet"), claim("decoding-control", 1.0, "failed")]
    folder = claims_folder(tmp_path / "claims", claim("decoding", -1.0), *controls)
    result = correspond(RUN, [folder], tmp_path / "out")
    row = rows_of(result)[FIGURE_2[4]]
    assert row.verdict == "contradicted"
    assert [(one.about, one.verdict) for one in row.findings] == [("m", "contradicted"), ("failed", None)]
    assert "this control came out supported" in as_text(result, 120)
    page = (tmp_path / "out" / "correspondence.md").read_text()
    assert "decoding-control, failed" in page and "decoding-control, quiet" not in page


def test_what_makes_a_difference_is_no_failed_control(tmp_path):
    """`capsules-control-decoder` is to come out supported, and noise elsewhere may do less harm than white noise."""
    elsewhere = [carrier_noise.judge([harm(effect)])[1] for effect in (-1.0, 1.0)]
    claims = [claim("capsules-pgd", 0.0), claim("capsules-control-decoder", 1.0), *elsewhere]
    rows = rows_of(correspond(RUN, [claims_folder(tmp_path / "claims", *claims)], tmp_path / "out"))
    (gain, why) = rows[FIGURE_2[6]].findings
    assert (gain.verdict, why.verdict, why.note, why.caveat) == ("undecided", None, "supported", "")
    (failed,) = rows["noise at the adversary's frequencies / jammer on the carrier"].findings
    assert (failed.effect, failed.caveat) == (1.0, "this control came out supported")


def test_dropped_carriers_are_no_evidence_on_features(tmp_path):
    claims = [claim("carriers", -1.0), claim("carriers-dropped", 1.0), claim("carrier-noise", 1.0)]
    rows = rows_of(correspond(RUN, [claims_folder(tmp_path / "claims", *claims)], tmp_path / "out"))
    assert [one.claim for one in rows[FIGURE_2[3]].findings] == ["carriers"]


def test_a_cell_is_short_and_no_kinder_than_its_findings(tmp_path):
    claims = [claim("carriers", effect, f"at {place} dB") for place, effect in enumerate((1.0, 1.0, -1.0, 0.0))]
    claims += [claim(f"capsules-{place}", 1.0) for place in range(5)]
    result = correspond(RUN, [claims_folder(tmp_path / "claims", *claims)], tmp_path / "out")
    page = (tmp_path / "out" / "correspondence.md").read_text()
    text = as_text(result, 120)
    for shown in (page, text):
        assert "carriers: 2 supported, 1 contradicted, 1 undecided" in shown
        assert "capsules: 5 supported" in shown
    assert all(f"carriers, at {place} dB: " in page for place in range(4))
    assert "at 0 dB" not in text


def test_a_caveat_is_shown_beside_its_verdict():
    found = Finding.of(claim("shape-square").model_copy(update={"caveat": "depends on the baseline"}))
    assert (found.verdict, found.caveat) == ("supported", "depends on the baseline")


def test_the_special_cnn_at_the_same_energy_a_bit(tmp_path):
    evidence = Evidence(specials=[pd.read_csv(special_folder(tmp_path / "special") / "special.csv")])
    (over_bpsk,) = table_findings.special_over_bpsk(evidence)
    (over_code,) = table_findings.special_over_code(evidence)
    assert over_bpsk.effect == pytest.approx(3 - 10 * np.log10(2), abs=0.02)  # half a bit a sample
    assert over_code.effect == pytest.approx(-1, abs=0.02)
    assert over_code.verdict == "contradicted"
    wide = 2 * 4 * np.log10(1.02 / 0.98)  # both curves, four dB a factor of ten, +-2 %
    assert over_code.high - over_code.low == pytest.approx(wide, abs=0.05)
    row = rows_of(correspond(RUN, [tmp_path / "special"], tmp_path / "out"))[FIGURE_2[2]]
    assert row.verdict == over_bpsk.verdict == "undecided"  # 0.01 dB less than nothing
    row = rows_of(correspond(RUN, [special_folder(tmp_path / "special", 6.0)], tmp_path / "out"))[FIGURE_2[2]]
    assert row.verdict == "supported"


@pytest.mark.parametrize(
    ("ber", "expected"),
    [
        ([0.1, 0.02, 0.005], (15, 10, 20)),  # between two points
        ([0.1, 0.02, 0.0], (np.nan, 10, 20)),  # falls to a point without an error
        ([0.1, 0.09, 0.05], (np.nan, 20, np.inf)),
        ([0.001, 0.0005, 0.0001], (np.nan, -np.inf, 0)),
    ],
)
def test_the_crossing_of_a_curve_and_its_bounds(ber, expected):
    at, low, high = table_findings.crossing(curve([0, 10, 20], ber))
    assert np.isnan(at) == np.isnan(expected[0])
    if np.isnan(at):
        assert (low, high) == expected[1:]
    else:
        assert expected[1] < low < at < high < expected[2]
        assert at == pytest.approx(expected[0], abs=0.01)


def test_receivers_beside_the_last_layer():
    db = np.arange(0, 30, 1.0)
    parts = [
        link_curve(db, 0.5 * 10 ** (-(db - late) / 5), code="conv", ruler="dispersion", receiver=receiver)
        for receiver, late in (("gaussian", 8.0), ("cauchy", 0.0))
    ]
    (gain,) = table_findings.receivers(Evidence(links=[pd.concat(parts)]))
    assert gain.effect == pytest.approx(8, abs=0.05)
    assert gain.low < gain.effect < gain.high
    assert gain.verdict == "supported"
    swapped = pd.concat(parts).assign(
        receiver=lambda table: table.receiver.map({"gaussian": "cauchy", "cauchy": "gaussian"})
    )
    assert table_findings.receivers(Evidence(links=[swapped]))[0].verdict == "contradicted"


def test_jammers_and_bursts(tmp_path):
    def noisy(**rates):
        return [link_curve([0, 5], rate, noise=noise.replace("_", ":length=")) for noise, rate in rates.items()]

    table = pd.concat(noisy(tone=[0.4, 0.2], **{"stable:alpha=2": [0.3, 0.1], "tone:offset=1": [0.4, 0.3]}))
    evidence = Evidence(links=[table])
    (white,), (beside,) = table_findings.tone_over_white(evidence), table_findings.tone_over_beside(evidence)
    assert (white.verdict, round(white.effect, 3)) == ("supported", 0.1)
    assert beside.verdict == "contradicted"
    depends = pd.concat(noisy(tone=[0.4, 0.1], **{"stable:alpha=2": [0.1, 0.2]}))
    (found,) = table_findings.tone_over_white(Evidence(links=[depends]))
    assert (found.verdict, found.effect > 0) == ("undecided", True)
    assert "more errors in 1 comparisons (0 dB), fewer in 1 (5 dB)" in found.note

    table = pd.concat(noisy(burst_2=[0.2, 0.1], burst_10=[0.3, 0.2], burst_100=[0.1, 0.0]))
    (found,) = table_findings.bursts(Evidence(links=[table]))
    assert (found.verdict, round(found.effect, 3)) == ("supported", 0.15)
    (found,) = table_findings.bursts(
        Evidence(links=[table.assign(noise=table.noise.replace("burst:length=100", "burst:length=1"))])
    )
    assert found.verdict == "contradicted"  # of 1, 2 and 10 samples the longest errs most


def test_simulated_jammers_and_bursts_are_recognised(tmp_path):
    settings = Settings.of(
        alphas=[], jammers=["white", "tone", "tone:offset=1"], bursts=[1, 80], codes=["none"], rulers=["realised"],
        snr_db=[-5, 0], frames=[64], max_bits=20_000,
    )  # fmt: skip
    simulate(settings, tmp_path / "more", quiet=True)
    with pytest.raises(UsageError, match="three alphas"):
        correspond(RUN, [tmp_path / "more"], tmp_path / "out")
    evidence = evidence_folders.open_evidence(RUN, [tmp_path / "more"])
    names = ("tone_over_white", "tone_over_beside", "bursts", "checksum")
    assert [len(getattr(table_findings, name)(evidence)) for name in names] == [1, 1, 1, 1]


def test_resolutions(tmp_path):
    def found(**made):
        evidence = Evidence()
        evidence_folders._add_bandwidth(evidence, bandwidth_folder(tmp_path / "w", **made))
        return table_findings.resolutions(evidence)[0]

    assert (found().verdict, found().effect) == ("supported", 3.0)
    assert found(small=(9.0, 8.0, 10.0)).verdict == "contradicted"
    assert found(small=(np.inf, 14.0, np.inf)).effect is None
    bound = found(small=(40.0, 14.0, np.nan), censored=["", ">"])  # a number that is a bound
    assert (bound.effect, bound.low) == (None, 1.0)


def test_a_run_brings_its_claims_and_its_gains(tmp_path):
    result = correspond(RUN, [RUN], tmp_path / "out")
    assert any(one.claim == "adversarial-over-white" for one in rows_of(result)[FIGURE_2[1]].findings)
    gains = rows_of(result)["model trained on noise / receiver made for impulses"].findings
    assert {one.claim for one in gains} == {"gain"}


class TestScreen:
    """What is printed, at the widths that terminals have."""

    @pytest.fixture
    def result(self, tmp_path):
        folder = claims_folder(
            tmp_path / "claims", *(claim(name, model="model " * 30) for name in ("decoding", "samples"))
        )
        return correspond(RUN, [folder, special_folder(tmp_path / "special")], tmp_path / "out")

    @pytest.mark.parametrize("columns", [80, 120])
    def test_no_line_is_wider(self, result, columns):
        text = as_text(result, columns)
        assert max(map(len, text.splitlines())) <= columns
        assert all(f"{pair}: " in text for pair in FIGURE_2)

    def test_markup_of_a_stranger_is_none(self, tmp_path):
        folder = claims_folder(tmp_path / "claims", claim("decoding", model="![x](http://y) | <b> |"))
        correspond(RUN, [folder], tmp_path / "out")
        text = (tmp_path / "out" / "correspondence.md").read_text()
        assert "![x]" not in text and "<b>" not in text
        rows = [line for line in text.splitlines() if line.startswith("| fully connected")]
        assert len(rows) == 1 and rows[0].replace("\\|", "").count("|") == 4


class TestStrangers:
    """Folders that are something else, or damaged."""

    def refused(self, capsys, tmp_path, folder):
        with pytest.raises(SystemExit) as stopped:
            main(["correspond", str(RUN), str(folder), "--out", str(tmp_path / "out")])
        (line,) = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 1
        return line

    def test_an_unknown_folder(self, capsys, tmp_path):
        (tmp_path / "holiday").mkdir()
        for folder in ("holiday", "missing"):
            assert f"{folder} holds no results: expected" in self.refused(capsys, tmp_path, tmp_path / folder)

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("{", "damaged"),
            ("[" * 100_000, "nested too deeply"),
            ('{"claims": 1}', "damaged at claims"),
            ('{"claims": [{"id": "decoding"}]}', "damaged at claims.0"),
            ('{"claims": [], "claims": []}', "twice"),
            ('{"claims": [], "more": 1}', "damaged at more"),
            (json.dumps({"claims": [claim("decoding").model_dump()] * 1001}), "expected at most 1000"),
            (json.dumps({"claims": [{**claim("decoding").model_dump(), "effect": float("nan")}]}), "no finite number"),
            (
                json.dumps({"claims": [{**claim("decoding").model_dump(), "verdict": "proven"}]}),
                "damaged at claims.0.verdict",
            ),
            (None, "not finished"),
        ],
    )
    def test_claims(self, capsys, tmp_path, content, says):
        folder = claims_folder(tmp_path / "claims")
        if content is None:
            (folder / "claims.json").unlink()
        else:
            (folder / "claims.json").write_text(content)
        assert says in self.refused(capsys, tmp_path, folder)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda text: text.replace("system", "sistem", 1), "has no column system"),
            (lambda text: text.replace("ber,", "ber,ber,", 1), "has no column ber"),
            (lambda text: text.replace("2.0,", "two,", 1), "damaged"),
            (lambda text: text.replace("2.0,", "inf,", 1), "finite alpha"),
            (lambda text: text.replace("0.5,", "7.5,"), "outside of 0 to 1"),
            (lambda text: text + '"', "damaged"),
            (lambda text: text[: len(text) // 2], "damaged"),
            (lambda text: text.replace("10000", ""), "damaged"),
            (lambda text: "", "has no column"),
            (lambda text: text + " " * untrusted.MOST_TABLE_BYTES, "expected at most"),
        ],
    )
    def test_special(self, capsys, tmp_path, change, says):
        path = special_folder(tmp_path / "special") / "special.csv"
        path.write_text(change(path.read_text()))
        assert says in self.refused(capsys, tmp_path, tmp_path / "special")

    def test_bandwidth(self, capsys, tmp_path):
        path = bandwidth_folder(tmp_path / "w") / "bandwidth.csv"
        path.write_text(path.read_text().replace("784", "x"))
        assert "damaged" in self.refused(capsys, tmp_path, tmp_path / "w")

    @pytest.fixture
    def link(self, tmp_path):
        settings = Settings.of(alphas=[2], codes=["none"], rulers=["dispersion"], snr_db=[0, 5], max_bits=2000)
        simulate(settings, tmp_path / "link", quiet=True)
        return tmp_path / "link"

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda table: pd.concat([table, table]), "has an SNR twice"),
            (lambda table: table.assign(ber=2.0), "outside of 0 to 1"),
            (lambda table: table.assign(ber_low=np.nan), "outside of 0 to 1"),
            (lambda table: table.assign(snr_db=np.inf), "not finite"),
            (lambda table: table.assign(bits=0.5), "damaged"),
            (lambda table: table.assign(noise=""), "missing in the column noise"),
            (lambda table: table.iloc[:0], "holds no curve yet"),
            (
                lambda table: pd.concat([table.iloc[:1].assign(snr_db=float(n), frame=n) for n in range(1001)]),
                "more than 1000000 points",
            ),
        ],
    )
    def test_a_link(self, capsys, tmp_path, link, change, says):
        change(pd.read_csv(link / "ber.csv")).to_csv(link / "ber.csv", index=False)
        assert says in self.refused(capsys, tmp_path, link)

    def test_a_folder_with_a_link_to_elsewhere(self, capsys, tmp_path):
        folder = claims_folder(tmp_path / "claims")
        (folder / "claims.json").unlink()
        (folder / "claims.json").symlink_to(tmp_path / "secret")
        assert "is a link" in self.refused(capsys, tmp_path, folder)

    def test_the_columns_that_are_read(self, tmp_path):
        path = tmp_path / "t.csv"
        path.write_text("b,a,c\n1,x,2\n3,none,\n")
        found = untrusted.read_csv(path, {"a": str, "b": int}, {"c": float, "d": float})
        assert list(found.columns) == ["a", "b", "c"]
        assert found.a.tolist() == ["x", "none"]
        path.write_text("a,b\n,1\n")
        with pytest.raises(RunFolderError, match="missing in the column a"):
            untrusted.read_csv(path, {"a": str, "b": int})
