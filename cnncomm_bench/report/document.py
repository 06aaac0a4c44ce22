"""The report of a run: `report.html`, one file that needs no network, and `report.md` for a pull request."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._utils.atomic import write_text
from ..attacks import StableNoise
from . import captions, chart, gallery, sections
from .classwise import by_class

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

    from ..data import Images
    from ..models import Model
    from ..results import Run

TEMPLATES = Path(__file__).parent / "templates"


def write(run: Run, folder: Path, *, data: Images | None = None, models: Sequence[Model] = ()) -> None:
    """Write `report.html` and `report.md` into a run's folder.

    Parameters
    ----------
    run : Run
    folder : Path
    data : Images, optional
        The run's images, for the gallery. Without them the gallery of an earlier report is kept, from
        `gallery.json`.
    models : sequence of Model, optional
        The run's models, for the adversaries in the gallery.

    Raises
    ------
    RunFolderError
        A file cannot be written.
    """
    if data is None:
        pictures = gallery.load(run, folder)
    else:
        pictures = gallery.render(run, data, models)
        gallery.save(pictures, folder)
    context = _context(run, pictures)
    write_text(folder / "report.html", _html(context))
    write_text(folder / "report.md", environment().get_template("report.md").render(context))


def _context(run: Run, pictures: gallery.Gallery | None) -> dict[str, Any]:
    info, data = run.info, run.info.data
    payload = chart.payload(run)
    values = math.prod(data.shape)
    return {
        "info": info,
        "what": data.scored_by,
        "payload": payload,
        "models": sections.models(run),
        "comparison": sections.comparison(run),
        "common_level": None if run.gains.empty else f"{run.gains['level'].dropna().max():.3f}",
        "claims": sections.claims(run.claims),
        "shapes": sections.shapes(run),
        "shared_draws": sum(entry.family == StableNoise.family for entry in info.suite.attacks) > 1,
        "classes": sections.classes(run, by_class(run.scored, run.scores.counts, run.adversaries)),
        "gallery": captions.rows_by_image(run, pictures),
        "pictures": pictures,
        "warnings": run.warnings,
        "values": values,
        "yardstick": f"{10 * math.log10(values):.1f}",
        "ceiling": f"{math.log2(data.classes):.2f}",
        "several_rulers": len(payload["rulers"]) > 1,
        "predictions": len(run.predictions),
        "seconds": sum(info.seconds.values()),
    }


def _html(context: dict[str, Any]) -> str:
    from plotly.offline import get_plotlyjs

    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    library = get_plotlyjs()
    if "</script" in library.lower():
        library = library.replace("</script", "<\\/script").replace("</SCRIPT", "<\\/SCRIPT")
    return (
        environment()
        .get_template("report.html")
        .render(
            context,
            style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
            script=script,
            library=library,
            script_sources=" ".join(map(_source, (library, script))),
        )
    )


def _source(script: str) -> str:
    """How a content security policy allows this script, and with it no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def environment() -> Environment:
    """Templates, escaped where they are HTML, with the filters `minus`, `breakable` and `cell`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["minus"] = _minus
    made.filters["breakable"] = _breakable
    made.filters["cell"] = _cell
    return made


def _minus(text: object) -> str:
    """Numbers with a minus sign in place of the hyphen."""
    return re.sub(r"(?<![\w=:,.-])-(?=\d)", "\u2212", str(text))


def _breakable(spec: str) -> Markup:
    """A spec string that a narrow column may break before its parameters."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[:,])", spec))


def _cell(text: object) -> str:
    """Text from outside for a table of Markdown: no markup, no second line, no second column."""
    line = " ".join(str(text).split())
    for sign in "\\`*_[]|~":
        line = line.replace(sign, f"\\{sign}")
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
