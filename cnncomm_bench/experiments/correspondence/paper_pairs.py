"""The pairs of the paper's Fig. 2 in its order, then what we add: sentence, sources of evidence, what to type.

Quotes are verbatim (Ge et al., Sections 2 to 5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from pydantic import BaseModel, ConfigDict

from ...results.claims import Claim
from . import table_findings as tables
from .evidence_folders import Evidence
from .finding import Finding, PairVerdict, verdict_of

_JAMMERS = (
    "cnncomm-bench link --jammer white,tone,tone:offset=0.5,tone:offset=1 --snr -10:10:2.5 --code none "
    "--out runs/jammers"
)
_BURSTS = (
    "cnncomm-bench link --burst 1,4,16,64,256,1024 --code none,conv --receiver gaussian --interleaver none,block "
    "--snr 2,6,10 --out runs/bursts"
)

_ONE_SIDED = "Control, not to be supported"
"""How the statement of a control begins that may be contradicted."""


@dataclass(frozen=True)
class Source:
    """Where evidence comes from, and what to type for it.

    Attributes
    ----------
    command : str
    claims : tuple of str
        How the ids of its claims begin.
    measure : callable, optional
        Findings beyond claims.
    without : tuple of str
        How the ids of claims begin that are of something else.
    """

    command: str
    claims: tuple[str, ...] = ()
    measure: Callable[[Evidence], list[Finding]] | None = None
    without: tuple[str, ...] = ()

    def findings(self, evidence: Evidence) -> list[Finding]:
        """What it found, controls only where they failed."""
        own = [
            claim for claim in evidence.claims
            if self.claims and claim.id.startswith(self.claims) and not claim.id.startswith(self.without)
        ]  # fmt: skip
        found = [_alone(claim) if _asks_why(claim) else Finding.of(claim) for claim in own if not claim.control]
        found += [_failed(claim) for claim in own if claim.control and _has_failed(claim)]
        return [*found, *(self.measure(evidence) if self.measure else ())]


@dataclass(frozen=True)
class Pair:
    """A part of the CNN and a module of the link.

    Attributes
    ----------
    cnn, link : str
    quote : str
        The paper's sentence, empty where it has none.
    sources : tuple of Source
    ours : bool
        We add it.
    """

    cnn: str
    link: str
    quote: str
    sources: tuple[Source, ...]
    ours: bool = False


class Row(BaseModel):
    """A pair with what was found.

    Attributes
    ----------
    cnn, link, quote, ours
        See `Pair`.
    verdict : {"supported", "contradicted", "undecided", "not measured"}
    findings : list of Finding
    missing : list of str
        What to type for evidence that was not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cnn: str
    link: str
    quote: str
    ours: bool
    verdict: PairVerdict
    findings: list[Finding]
    missing: list[str]


def rows(evidence: Evidence, likenesses: Sequence[Finding]) -> list[Row]:
    """Every pair with its findings and its verdict.

    Parameters
    ----------
    evidence : Evidence
    likenesses : sequence of Finding
        Of the curves of the run and the link.
    """
    made = []
    for pair in pairs(likenesses):
        found = [source.findings(evidence) for source in pair.sources]
        missing = [source.command for source, own in zip(pair.sources, found, strict=True) if not own]
        made.append(
            Row(cnn=pair.cnn, link=pair.link, quote=pair.quote, ours=pair.ours, verdict=verdict_of(found),
                findings=[*chain(*found)], missing=list(dict.fromkeys(missing)))
        )  # fmt: skip
    return made


def _has_failed(claim: Claim) -> bool:
    failing = ("supported",) if claim.statement.startswith(_ONE_SIDED) else ("supported", "contradicted")
    return claim.verdict in failing


def _asks_why(claim: Claim) -> bool:
    """Whether it asks what makes a difference, such as `capsules-control-routing`, and not whether there is one."""
    return "control" in claim.id.split("-")


def _alone(claim: Claim) -> Finding:
    """It stands beside the claims, and is no vote for them."""
    return Finding.of(claim).model_copy(update={"verdict": None, "note": claim.verdict})


def _failed(claim: Claim) -> Finding:
    """A control that came out as it should not: no vote either."""
    return Finding.of(claim, caveat=f"this control came out {claim.verdict}").model_copy(update={"verdict": None})


def pairs(likenesses: Sequence[Finding] = ()) -> tuple[Pair, ...]:
    """The pairs; the likeness of the curves is evidence for one of them."""
    transmission = Source("cnncomm-bench transmission", ("transmission",))
    return (
        Pair(
            "input, amount of data", "transmit power",
            "The larger number of the inputs of CNN indicate the more information of the dataset, meaning that the "
            "transmission power in the corresponding communication system is also larger.",
            (
                Source("cnncomm-bench section5 samples", ("samples",)),
                Source("cnncomm-bench section5 contrast", ("contrast",)),
            ),
        ),
        Pair(
            "adversarial perturbation", "channel noise",
            "The adversarial disturbance in CNN can be viewed as the channel noise in the communication system.",
            (
                Source("cnncomm-bench link", measure=lambda _: list(likenesses)),
                Source("cnncomm-bench --model MODEL --attack gaussian --attack pgd", ("adversarial-over-white",)),
            ),
        ),
        Pair(
            "convolution and pooling", "modulation and demodulation",
            "The structure of the convolutional and pooling layers in CNN corresponds to the modulation and "
            "demodulation process in the communication system.",
            (Source("cnncomm-bench special", ("special",), tables.special_over_bpsk), transmission),
        ),
        Pair(
            "features", "carriers",
            "In the communication system, the carrier in the modulation process is responsible for carrying "
            "information, which has the same function as the features in CNN.",
            (
                Source("cnncomm-bench section5 features", ("features",)),
                Source("cnncomm-bench section5 features", ("carriers",), without=("carriers-dropped",)),
            ),
        ),
        Pair(
            "fully connected layer", "decoding",
            "The fully connected layer corresponds to the decoding process in the communication system.",
            (
                Source("cnncomm-bench section5 decoding", ("decoding",)),
                Source("cnncomm-bench link", measure=lambda evidence: _beside(tables.receivers(evidence))),
            ),
        ),
        Pair(
            "label", "data",
            "The label in cnn corresponds to the data in the communication system, as both of them are expected as "
            "accurate as possible.",
            (transmission, Source("cnncomm-bench special", measure=tables.labels_sent)),
        ),
        Pair(
            "capsule", "frame",
            'The structure of CapsNet [17] is similar to the "frame" in the communication protocol(as shown in '
            "figure 2).",
            (
                Source("cnncomm-bench section5 capsules", ("capsules",)),
                Source("cnncomm-bench section5 checkbits", ("checkbits",)),
                Source("cnncomm-bench link", measure=tables.checksum),
            ),
        ),
        Pair(
            "noise points enlarged to shapes", "impulses in a short window",
            "the bit error rate of the communication system will also increase, when the impulse noises are "
            "concentrated in a small time window.",
            (
                Source("cnncomm-bench --model MODEL --suite figure4", ("shape-", "concentration-")),
                Source(_BURSTS, measure=tables.bursts),
            ),
            ours=True,
        ),
        Pair(
            "noise at the adversary's frequencies", "jammer on the carrier",
            "The most effective interference method for this analog signal is to transmit noises of the same "
            "frequency.",
            (
                Source("cnncomm-bench section5 samples", ("carrier-noise",)),
                Source(_JAMMERS, measure=tables.tone_over_white),
                Source(_JAMMERS, measure=tables.tone_over_beside),
            ),
            ours=True,
        ),
        Pair(
            "model trained on noise", "receiver made for impulses", "",
            (
                Source("cnncomm-bench --model bundled:standard --model bundled:stable", measure=tables.trainings),
                Source("cnncomm-bench link", measure=tables.receivers),
            ),
            ours=True,
        ),
        Pair(
            "resolution of the images", "bandwidth",
            "These two modules jointly determine the size of the channel capacity according to the Shannon formula",
            (Source("cnncomm-bench bandwidth", measure=tables.resolutions),),
            ours=True,
        ),
        Pair(
            "label sent as an image", "code of the same rate",
            "the labels are deconvoluted to generate the images, and the generated images are subsequently relabeled "
            "by convolutional, pooling and FC layers.",
            (Source("cnncomm-bench special", measure=tables.special_over_code),),
            ours=True,
        ),
    )  # fmt: skip


def _beside(findings: list[Finding]) -> list[Finding]:
    """The same numbers of the link without a say: they are what the CNN's are held against."""
    return [finding.model_copy(update={"verdict": None}) for finding in findings]
