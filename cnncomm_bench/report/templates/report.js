"use strict";
(() => {
  const run = JSON.parse(document.getElementById("payload").textContent);
  const chart = document.getElementById("chart");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const every = (selector) => [...document.querySelectorAll(selector)];
  // Plotly reads a little HTML in its texts: names come from outside and are shown as they are.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const accuracy = run.labelled ? "accuracy" : "agreement";
  const TITLES = { drop: `${accuracy} drop`, accuracy, bits: "bits per image" };
  const [FIRST, LAST] = [Math.min, Math.max].map((pick) => pick(...run.curves.flatMap((curve) => curve.snr)));

  const ticked = (kind) => new Set(every(`[data-filter="${kind}"]:checked`).map((box) => box.value));
  const axis = () => document.querySelector('[name="axis"]:checked').value;

  function shown() {
    const [model, attack, kind] = ["model", "attack", "kind"].map(ticked);
    const ruler = run.rulers.length > 1 ? ticked("ruler") : new Set(["0"]);
    return run.curves.filter((curve) => model.has(String(curve.model)) && attack.has(String(curve.attack))
      && kind.has(run.attacks[curve.attack].kind) && ruler.has(String(curve.ruler)));
  }

  function line(curve, what) {
    const attack = run.attacks[curve.attack];
    const [value, low, high] = curve[what];
    const shade = colour(`c${attack.colour}`);
    const names = [attack.name];
    if (run.models.length > 1) names.push(run.models[curve.model].name);
    if (run.rulers.length > 1) names.push(run.rulers[curve.ruler].name);
    return {
      type: "scatter", mode: "lines+markers", name: plain(names.join(", ")), x: curve.snr, y: value,
      line: { color: shade, width: 2, dash: run.models[curve.model].dash },
      marker: { color: shade, size: 8, symbol: attack.symbol + run.rulers[curve.ruler].fill },
      customdata: curve.snr.map((db, i) => [low[i], high[i], curve.radius[i], curve.images]),
      hovertemplate: `<b>${names.map(plain).join("<br>")}</b><br>%{x} dB, %{customdata[2]}<br>`
        + `${TITLES[what]} %{y:.3f}<br>95 %: %{customdata[0]:.3f} to %{customdata[1]:.3f}<br>%{customdata[3]} images<extra></extra>`,
    };
  }

  function band(curve, what) {
    const [, low, high] = curve[what];
    return {
      type: "scatter", mode: "lines", hoverinfo: "skip", fill: "toself", opacity: 0.18, line: { width: 0 },
      fillcolor: colour(`c${run.attacks[curve.attack].colour}`),
      x: [...curve.snr, ...[...curve.snr].reverse()], y: [...high, ...[...low].reverse()],
    };
  }

  function radii() {
    const step = (LAST - FIRST) / (chart.clientWidth < 560 ? 2.5 : 5);
    const round = Math.max(5, Math.round(step / 5) * 5);
    const at = [];
    for (let db = Math.ceil(FIRST / round) * round; db <= LAST; db += round) at.push(db);
    return { tickvals: at, ticktext: at.map((db) => (run.norm * 10 ** (-db / 20)).toPrecision(2).replace(/e\+?(-?)/, "e$1")) };
  }

  function layout(what) {
    const narrow = chart.clientWidth < 560;
    const grid = { gridcolor: colour("line"), zerolinecolor: colour("strong-line"), linecolor: colour("strong-line"),
      automargin: true };
    const pad = Math.max(1, (LAST - FIRST) * 0.03);
    const level = what === "bits" ? [run.ceiling, "ceiling"] : what === "accuracy" ? [run.chance, "chance"] : null;
    const stroke = { color: colour("quiet"), width: 1.2, dash: "dot" };
    const shapes = [], notes = [];
    const note = { showarrow: false, font: { size: 11, color: colour("quiet") } };
    if (run.rounding < LAST + 6) {
      shapes.push({ type: "line", x0: run.rounding, x1: run.rounding, yref: "paper", y0: 0, y1: 1, line: stroke });
      // Where few curves are: drops end low, the others high.
      const place = what === "drop" ? { y: 1, yanchor: "top" } : { y: 0.01, yanchor: "bottom" };
      notes.push({ ...note, ...place, text: "8-bit rounding", textangle: -90, x: run.rounding, xanchor: "right",
        yref: "paper" });
    }
    if (level) {
      shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: level[0], y1: level[0], line: stroke });
      notes.push({ ...note, text: level[1], xref: "paper", x: 0, xanchor: "left", y: level[0], yanchor: "bottom" });
    }
    const end = run.rounding < LAST + 6 ? Math.max(LAST + pad, run.rounding + 1) : LAST + pad;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      font: { family: style.fontFamily || getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
      margin: narrow ? { l: 8, r: 10, t: 88, b: 60 } : { l: 12, r: 20, t: 70, b: 64 },
      hoverlabel: { bgcolor: colour("raised"), bordercolor: colour("strong-line"), font: { color: colour("ink") },
        align: "left" },
      xaxis: { ...grid, title: { text: "SNR (dB)", standoff: 10 }, range: [FIRST - pad, end], zeroline: false },
      xaxis2: { ...grid, ...radii(), overlaying: "x", matches: "x", side: "top", showgrid: false, zeroline: false,
        title: { text: "L2 radius", standoff: 6 } },
      yaxis: { ...grid, title: { text: TITLES[what], standoff: 8 }, rangemode: "tozero" },
      shapes, annotations: notes, uirevision: what, dragmode: narrow ? false : "zoom",
      modebar: { color: colour("quiet"), activecolor: colour("accent"), bgcolor: "rgba(0,0,0,0)" },
    };
  }

  function draw() {
    const what = axis(), curves = shown();
    if (chart.data) Plotly.Fx.unhover(chart);
    const bands = document.getElementById("intervals").checked ? curves.map((curve) => band(curve, what)) : [];
    const anchor = { type: "scatter", x: [FIRST], y: [0], xaxis: "x2", mode: "markers", marker: { opacity: 0 }, hoverinfo: "skip" };
    Plotly.react(chart, [...bands, ...curves.map((curve) => line(curve, what)), anchor], layout(what), {
      responsive: true, displaylogo: false, scrollZoom: false,
      // Buttons are named one by one: Plotly's own choice has one that sends the data to a server.
      modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
      showSendToCloud: false, plotlyServerURL: "", displayModeBar: true,
      toImageButtonOptions: { filename: "accuracy-drop", scale: 2 },
    });
    document.getElementById("shown").textContent = `${curves.length} of ${run.curves.length} curves shown`;
  }

  function gallery() {
    const value = (name, otherwise) => document.querySelector(`[name="${name}"]:checked`)?.value ?? otherwise;
    const [view, whose, which] = [value("view"), value("whose", "0"), value("which", "0")];
    document.getElementById("gallery")?.classList.toggle("show-noise", view === "noise");
    every("#gallery [data-model]").forEach((part) => { part.hidden = part.dataset.model !== whose; });
    every("#gallery [data-image]").forEach((part) => { part.hidden = part.dataset.image !== which; });
  }

  every("#curves input").forEach((input) => input.addEventListener("change", draw));
  every("[data-all], [data-none]").forEach((button) => button.addEventListener("click", () => {
    const kind = button.dataset.all ?? button.dataset.none;
    every(`[data-filter="${kind}"]`).forEach((box) => { box.checked = "all" in button.dataset; });
    draw();
  }));
  every("#gallery input").forEach((input) => input.addEventListener("change", gallery));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  gallery();
  draw();
})();
