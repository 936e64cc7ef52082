// Key figures: one card a metric, one line a model, with the 95 % interval drawn and the best marked.
const L = window.loupe, root = element.querySelector(".lp-figures");
// Three digits that count, without an exponent where that can be read.
const short = (x) => (x === 0 || (Math.abs(x) >= 0.001 && Math.abs(x) < 1e5) ? String(+x.toPrecision(3)) : x.toExponential(1));
const si = (x) => { for (const [k, n] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (x >= 0.9995 * k) return `${+(x / k).toPrecision(3)} ${n}`; return short(x); };
const text = (c, f) => (c.value === null ? L.t("ui.na") : f.format === "count" ? L.int(c.value) : f.format === "ms" ? `${c.value < 1 ? c.value.toFixed(2) : c.value.toFixed(1)} ms` : f.format === "db" ? c.value.toFixed(2) : f.format === "si" ? si(c.value) : f.format === "short" ? short(c.value) + (f.unit ? ` ${f.unit}` : "") : f.format === "rate" ? `${c.value.toFixed(c.value < 100 ? 1 : 0)}/s` : L.num(c.value));
// An interval in as little room as it takes: ".865–.915".
const brief = (x) => (Math.abs(x) < 1 ? x.toFixed(3).replace(/^(-?)0\./, "$1.") : x.toFixed(2));
const draw = () => {
  const v = props.value;
  if (!v || !v.figures) { root.innerHTML = ""; return; }
  root.innerHTML =
    `<div class="models">${v.models.map((m, i) => `<span>${L.mark(i)} <b>${L.esc(m.name)}</b> <small>${L.esc(m.note || "")}</small></span>`).join("")}</div>` +
    (v.warnings || []).map((w) => `<div class="warn" role="alert">⚠ ${L.esc(L.has(w.key) ? L.t(w.key, w.vars) : w.text)}${w.explain ? L.info(w.explain) : ""}</div>`).join("") +
    `<div class="cards">${v.figures.map((f) => {
      const span = f.scale || [0, 1], pos = (x) => Math.max(0, Math.min(100, (100 * (x - span[0])) / (span[1] - span[0] || 1)));
      return `<div class="card" data-metric="${L.esc(f.key)}"><div class="k"><span title="${L.esc(L.name(f.key))}">${L.esc(L.short(f.key))}${f.format === "db" ? ", dB" : ""}</span>${L.info(f.key)}</div>${f.cells.map((c, i) => {
        const range = c.low === undefined || c.low === null ? "" : f.format === "short" ? `${short(c.low)}–${short(c.high)}` : `${brief(c.low)}–${brief(c.high)}`;
        return `<div class="v${c.best ? " best" : ""}" title="${range ? L.esc(`95 %: ${L.num(c.low)} – ${L.num(c.high)}`) : ""}">${v.models.length > 1 ? L.mark(i) : ""}<b>${text(c, f)}</b>${c.best ? `<em title="${L.esc(L.t("ui.best"))}">☆</em>` : ""}${range ? `<small>${range}</small>` : c.note ? `<small>${L.esc(c.note.key ? L.t(c.note.key, c.note.vars) : c.note)}</small>` : ""}</div>${range ? `<div class="ci"><s style="left:${pos(c.low)}%;width:${Math.max(1, pos(c.high) - pos(c.low))}%;background:${L.colors[i % 4]}"></s></div>` : ""}`;
      }).join("")}</div>`;
    }).join("")}</div>`;
};
L.onLook(draw);
watch("value", draw);
draw();
