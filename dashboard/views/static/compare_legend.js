// What is around class maps: opacity, classes or errors, the legend with areas, and what lies under the pointer.
const share = (x) => (x >= 0.0995 ? `${(100 * x).toFixed(0)} %` : x >= 0.0005 ? `${(100 * x).toFixed(1)} %` : x > 0 ? "<0.1 %" : "0 %");
const areaOf = (p, c) => p.areas?.find((x) => x[0] === c)?.[1] ?? 0;
const nameOf = (c) => (c === NOTHING ? T("map.ignored") : text(v.classes[c] ?? `#${c}`));
// A state's pattern as on the panes, on a dark ground.
const drawnSwatches = new Map();
const errorSwatch = (state) => {
  if (!drawnSwatches.has(state)) {
    const canvas = document.createElement("canvas"), g = canvas.getContext("2d"), { color, figure } = ERROR_LOOK[state];
    canvas.width = 19; canvas.height = 14;
    g.fillStyle = "#3f4250"; g.fillRect(0, 0, 19, 14);
    g.fillStyle = color;
    for (let y = 0; y < 14; y++) for (let x = 0; x < 19; x++) { g.globalAlpha = !figure ? 0.6 : figure(x, y) ? 1 : 0.3; g.fillRect(x, y, 1, 1); }
    drawnSwatches.set(state, canvas.toDataURL());
  }
  return `<i class="pattern" style="background-image:url(${drawnSwatches.get(state)})"></i>`;
};
const inCell = () => ui.focus === null && ui.cell !== null;
const shownErrors = () => {
  if (inCell()) return [ui.cell[0] === ui.cell[1] ? CORRECT : MIXED, SKIPPED];
  if (ui.focus !== null) return [CORRECT, MISSED, FALSE, SKIPPED];
  return v.background === null || v.background === undefined ? [CORRECT, MIXED, SKIPPED] : [CORRECT, MISSED, FALSE, MIXED, SKIPPED];
};
const errorName = (s) => (inCell() && s !== SKIPPED ? T("map.cell", { true: nameOf(ui.cell[0]), predicted: nameOf(ui.cell[1]) }) : s === MIXED && (v.background === null || v.background === undefined) ? T("map.wrong") : T(`map.${ERRORS[s]}`));
const errorHint = (s) => (inCell() && s !== SKIPPED ? T("map.cell.long", { true: nameOf(ui.cell[0]), predicted: nameOf(ui.cell[1]) }) : ui.focus !== null && s !== SKIPPED ? T(`map.${ERRORS[s]}.one`, { name: nameOf(ui.focus) }) : T(`map.${ERRORS[s]}.long`));
const mapBar = () => {
  const errors = judging(), one = (m) => `<button type="button" data-mode="${m}" aria-pressed="${errors === (m === "errors")}">${L.esc(T(`map.${m}`))}</button>`;
  return `<label class="conf"><span>${L.esc(T("map.opacity"))} <b>${Math.round(100 * ui.opacity)} %</b></span><input type="range" min="0" max="1" step="0.01" value="${ui.opacity}" data-opacity aria-label="${L.esc(T("map.opacity"))}"></label>` +
    (hasTruth() ? `<span class="pair"><span class="seg" role="group" aria-label="${L.esc(T("show"))}">${one("classes")}${one("errors")}</span>${L.info("error_map")}</span>` : "") +
    (errors ? "" : `<span class="seg">${button(`show="outlines"`, ui.outlines, T("map.outlines"))}</span>`) +
    (errors ? `<span class="states" role="group" aria-label="${L.esc(T("states"))}">${shownErrors().map((s) => `<button type="button" data-error="${s}" aria-pressed="${!ui.quiet.has(s)}" title="${L.esc(errorHint(s))}">${errorSwatch(s)}${L.esc(errorName(s))}</button>`).join("")}</span>` : "");
};
// The largest first, as in the truth where it is known.
const mapLegend = () => {
  const lead = panes.find((p) => p.isTruth && p.areas) || panes.find((p) => p.areas), most = new Map();
  for (const p of panes) for (const [c, part] of p.areas || []) most.set(c, Math.max(most.get(c) || 0, p === lead ? part + 1 : part));
  const sorted = [...most].sort((a, b) => b[1] - a[1] || a[0] - b[0]), how = T(judging() ? "map.legend.errors" : "map.legend.classes");
  const areas = (c) => panes.filter((p) => p.areas).map((p) => `${text(p.title)} ${share(areaOf(p, c))}`).join(", ");
  return sorted.map(([c]) => `<button type="button" data-class="${c}" aria-pressed="${legendOn(c)}" title="${L.esc(`${nameOf(c)}: ${areas(c)} — ${how}`)}"><i style="background:${L.esc(classColor(c))}"></i><span>${L.esc(nameOf(c))}</span><small>${share(areaOf(lead, c))}</small></button>`).join("") + `<button type="button" class="all" data-all>${L.esc(T("classes.all"))}</button>`;
};
const legendOn = (c) => (judging() ? ui.focus === c : !ui.off.has(c));
const narrowed = () => ui.focus !== null || (judging() ? ui.cell !== null : String([...ui.off].sort()) !== String([...atFirst()]));
const mapCount = (p) => {
  if (p.error || !p.areas) return "";
  const c = ui.over ?? ui.focus, n = p.areas.length;
  if (judges(p)) {
    const often = oftenOf(p), all = often.reduce((sum, x) => sum + x, 0) - often[SKIPPED];
    if (!all) return L.esc(T("map.uncounted"));
    return shownErrors().filter((s) => s !== SKIPPED).map((s) => `<span data-${ERRORS[s]}="${often[s]}" title="${L.esc(errorHint(s))}">${L.esc(errorName(s))} ${share(often[s] / all)}</span>`).join(" · ");
  }
  if (c !== null) return `<span data-area="${areaOf(p, c)}">${L.esc(nameOf(c))} ${share(areaOf(p, c))}</span>`;
  return `<b data-n="${n}">${L.esc(T(n === 1 ? "map.class" : "map.n", { n: L.int(n) }))}</b>`;
};
// What lies under a pixel of the picture, in every pane.
const at = (grid, x, y) => grid.ids[Math.min(grid.h - 1, Math.floor((y * grid.h) / v.height)) * grid.w + Math.min(grid.w - 1, Math.floor((x * grid.w) / v.width))];
const readout = (x, y) => {
  const inside = x !== null && x >= 0 && y >= 0 && x < v.width && y < v.height;
  for (const p of panes) {
    const show = inside && !!p.grid;
    p.reader.hidden = !show;
    if (!show) continue;
    const a = placeOf(p), c = at(p.grid, x, y), t = truthGrid && !p.isTruth ? at(truthGrid, x, y) : null;
    const mark = t === null ? "" : t === NOTHING ? ` – ${T("map.ignored")}` : t === c ? " ✓" : ` ✕ ${T("map.true")} ${nameOf(t)}`;
    p.reader.classList.toggle("top", y * a.s + a.y > a.h - 60); // out of the pointer's way
    p.reader.innerHTML = `<i style="background:${L.esc(c === NOTHING ? "transparent" : classColor(c))}"></i><span><b>${L.esc(nameOf(c))}</b>${p.sure ? ` ${share(at(p.sure, x, y) / 255)}` : ""}${L.esc(mark)}</span><small>${Math.floor(x)}, ${Math.floor(y)}</small>`;
  }
};
