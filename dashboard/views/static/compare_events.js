// What a person does in the compare view: pointing, dragging, pinching, keys, the sliders and legends, and the card.
const hits = (p, px, py) => {
  const a = placeOf(p), x = (px - a.x) / a.s, y = (py - a.y) / a.s, slack = 4 / a.s, found = [];
  for (let j = 0; j < p.n; j++) {
    const b = 4 * j;
    if (p.shown[j] && x >= p.box[b] - slack && x <= p.box[b + 2] + slack && y >= p.box[b + 1] - slack && y <= p.box[b + 3] + slack) found.push([j, (p.box[b + 2] - p.box[b]) * (p.box[b + 3] - p.box[b + 1])]);
  }
  return found.sort((m, n) => m[1] - n[1]).map((f) => f[0]);
};
const shownFact = (x) => (typeof x === "number" ? (Number.isInteger(x) ? String(x) : x.toFixed(3)) : x === null || x === undefined ? L.t("ui.na") : text(x)); // a text may be a key, such as an error's name
const hideCard = () => { card.hidden = true; card.innerHTML = ""; };
const select = (i, j, tell = true) => {
  const p = panes[i], b = p.box.subarray(4 * j, 4 * j + 4), s = p.eff[j], facts = p.facts?.[j] || {};
  ui.sel = [i, j];
  const rows = Object.entries(facts).map(([k, x]) => { const own = `ui.cmp.fact.${k}`; return `<div data-fact="${L.esc(k)}"><dt>${L.esc(L.has(own) ? L.t(own) : L.name(k))}${k === "confidence" ? "" : L.info(k)}</dt><dd>${L.esc(shownFact(x))}</dd></div>`; });
  const size = `${(b[2] - b[0]).toFixed(0)} × ${(b[3] - b[1]).toFixed(0)} px`, at = `${b[0].toFixed(0)}, ${b[1].toFixed(0)}`;
  card.innerHTML = `<div class="head">${s === PLAIN ? `<i style="background:${L.esc(color(p, j))}"></i>` : swatch(s)}<b>${L.esc(p.of(j))}</b>${Number.isNaN(p.score[j]) ? "" : `<span>${p.score[j].toFixed(3)}</span>`}<button type="button" data-close aria-label="${L.esc(L.t("ui.close"))}">✕</button></div>
    <small>${s === PLAIN ? "" : `${L.esc(T(`state.${STATES[s]}.long`))} · `}${L.esc(text(p.title))}</small><dl>${rows.join("")}<div><dt>${L.esc(T("fact.size"))}</dt><dd>${size}</dd></div><div><dt>${L.esc(T("fact.at"))}</dt><dd>${at}</dd></div></dl>`;
  card.hidden = false;
  placeCard(); later("top");
  if (tell) trigger("select", { index: [i, j], key: v.key, selected: true, value: { key: v.key, pane: i, object: p.at?.[j] ?? null, truth: p.truth[j] < 0 ? null : p.truth[j], state: STATES[s], class: p.of(j) } });
};
// Beside its object, on the side with more room; under the panes where these are stacked.
const placeCard = () => {
  if (card.hidden || !ui.sel) return;
  const narrow = root.clientWidth < 620;
  card.classList.toggle("below", narrow);
  if (narrow) { card.style.left = card.style.top = ""; return; }
  const p = panes[ui.sel[0]], a = placeOf(p), b = p.box.subarray(4 * ui.sel[1], 4 * ui.sel[1] + 4), r = p.view.getBoundingClientRect(), o = stage.getBoundingClientRect();
  const clamp = (x, low, high) => Math.max(low, Math.min(high, x)), x0 = clamp(b[0] * a.s + a.x, 0, a.w), x1 = clamp(b[2] * a.s + a.x, 0, a.w);
  const w = card.offsetWidth, h = card.offsetHeight, left = r.left - o.left, right = left + x1 + 8;
  card.style.left = `${clamp(right + w <= o.width ? right : left + x0 - w - 8, 0, Math.max(0, o.width - w))}px`;
  card.style.top = `${clamp(r.top - o.top + clamp(b[1] * a.s + a.y, 0, a.h), 0, Math.max(0, o.height - h))}px`;
};
const drop = () => { if (!ui.sel) return; ui.sel = null; hideCard(); later("top"); };
const refresh = () => { pressed(); if (v.maps) recolour(); else later("filter"); };
const solo = (c) => {
  const every = [...root.querySelectorAll("[data-class]")].map((b) => +b.dataset.class), alone = !ui.off.has(c) && ui.off.size === every.length - 1;
  ui.off = new Set(!alone ? every.filter((x) => x !== c) : v.maps ? atFirst() : []);
  refresh();
};
// On class maps. Among errors a class is chosen to be judged alone; otherwise it is switched off and on.
const mapClick = (cls, mode, error, alone) => {
  if (mode) { ui.mode = mode.dataset.mode; anew(`[data-mode="${ui.mode}"]`); }
  else if (error) { const s = +error.dataset.error; if (!ui.quiet.delete(s)) ui.quiet.add(s); error.setAttribute("aria-pressed", !ui.quiet.has(s)); recolour(); }
  else if (!cls) { ui.off = atFirst(); choose(null); q("[data-class]")?.focus(); }
  else if (judging()) { const c = +cls.dataset.class; choose(ui.focus === c ? null : c); }
  else if (alone) solo(+cls.dataset.class);
  else { const c = +cls.dataset.class; if (!ui.off.delete(c)) ui.off.add(c); refresh(); }
};
// The controls anew, with the keyboard where it was.
const anew = (focus) => { ui.over = null; controls(); recolour(); if (focus) q(focus)?.focus({ preventScroll: true }); };
const choose = (c) => {
  const was = document.activeElement?.closest?.(".lp-compare") === root ? document.activeElement.dataset.class : undefined;
  ui.focus = c; ui.cell = null;
  anew(was === undefined ? null : `[data-class="${was}"]`);
};
const point = (c) => { if (ui.over !== c) { ui.over = c; recolour(); } };
for (const [name, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]])
  root.addEventListener(name, (e) => { const b = v?.maps && e.target.closest?.("[data-class]"); if (b) point(on && !judging() && (name !== "focusin" || b.matches(":focus-visible")) ? +b.dataset.class : null); });
root.addEventListener("click", (e) => {
  if (!v) return;
  const at = (name) => e.target.closest(`[data-${name}]`), cls = at("class"), state = at("state"), show = at("show"), z = at("zoom");
  if (v.maps && (cls || at("mode") || at("error") || at("all"))) mapClick(cls, at("mode"), at("error"), e.altKey);
  else if (cls) { const c = +cls.dataset.class; if (e.altKey) solo(c); else { if (!ui.off.delete(c)) ui.off.add(c); refresh(); } }
  else if (at("all")) { ui.off.clear(); refresh(); q("[data-class]")?.focus(); }
  else if (state) { const s = +state.dataset.state; if (!ui.hidden.delete(s)) ui.hidden.add(s); refresh(); }
  else if (show) { ui[show.dataset.show] = !ui[show.dataset.show]; pressed(); later("main"); }
  else if (z) { if (z.dataset.zoom === "fit") { fit(); settle(); } else zoom(z.dataset.zoom === "in" ? 1.5 : 1 / 1.5); }
  else if (at("close")) { const i = ui.sel?.[0]; drop(); panes[i]?.canvas.focus({ preventScroll: true }); }
});
root.addEventListener("dblclick", (e) => {
  const cls = e.target.closest("[data-class]");
  if (cls) { if (!judging()) solo(+cls.dataset.class); }
  else if (v && e.target.matches("canvas.ground")) { fit(); settle(); }
});
root.addEventListener("input", (e) => {
  if (e.target.type !== "range" || !v) return;
  if ("opacity" in e.target.dataset) { ui.opacity = +e.target.value; q(".conf b").textContent = `${Math.round(100 * ui.opacity)} %`; tables = null; later("main"); return; }
  ui.t = +e.target.value; q(".conf b").textContent = ui.t.toFixed(2);
  later("filter");
});
const paneOf = (e) => panes[e.target.closest?.("[data-pane]")?.dataset.pane];
stages.addEventListener("pointermove", (e) => {
  const p = paneOf(e);
  dragged(e);
  if (!p || drag?.moved || !e.target.closest(".view")) { cross(null); if (v?.maps) readout(null); return; }
  if (v.maps) { const [px, py] = inside(p, e), a = placeOf(p); readout((px - a.x) / a.s, (py - a.y) / a.s); }
  const [x, y] = inside(p, e), j = hits(p, x, y)[0], was = ui.hover;
  cross(e.pointerType === "touch" ? null : p, x, y);
  ui.hover = j === undefined ? null : [p.i, j];
  p.canvas.style.cursor = j === undefined ? (ui.k > 1 ? "grab" : "crosshair") : "pointer";
  if (String(was) !== String(ui.hover)) later("top");
});
// The pointer, as lines on the other panes.
const cross = (from, x, y) => {
  for (const p of panes) {
    const on = from && p !== from && panes.length > 1;
    p.lines[0].hidden = p.lines[1].hidden = !on;
    if (!on) continue;
    const a = placeOf(from), b = placeOf(p);
    p.lines[0].style.transform = `translateY(${((y - a.y) / a.s) * b.s + b.y}px)`; p.lines[1].style.transform = `translateX(${((x - a.x) / a.s) * b.s + b.x}px)`;
  }
};
const up = (e) => {
  const d = dropped(e);
  if (!d || d.moved || e.type !== "pointerup" || !panes.includes(d.p)) return;
  const found = hits(d.p, ...inside(d.p, e));
  if (e.timeStamp - last.at < 350 && Math.hypot(e.clientX - last.x, e.clientY - last.y) < 6) return; // the second half of a double click
  last = { at: e.timeStamp, x: e.clientX, y: e.clientY };
  if (v.maps) { region(d.p, ...inside(d.p, e)); return; }
  if (!found.length) { drop(); return; }
  const k = ui.sel && ui.sel[0] === d.p.i ? found.indexOf(ui.sel[1]) : -1; // again at the same place: the next one beneath
  select(d.p.i, found[(k + 1) % found.length]);
};
// A click on a class map: its class is meant, in all panes; the same again lets go.
const region = (p, px, py) => {
  const a = placeOf(p), x = Math.floor((px - a.x) / a.s), y = Math.floor((py - a.y) / a.s);
  readout(x, y); // a finger does not hover
  if (!p.grid || x < 0 || y < 0 || x >= v.width || y >= v.height) return;
  const c = at(p.grid, x, y), t = truthGrid ? at(truthGrid, x, y) : NOTHING;
  if (c === NOTHING) return;
  choose(ui.focus === c ? null : c);
  if (ui.focus === c) trigger("select", { index: [p.i, c], key: v.key, selected: true, value: { key: v.key, pane: p.i, x, y, class: c, name: nameOf(c), truth: t === NOTHING ? null : t } });
};
let last = { at: -1e9, x: 0, y: 0 };
stages.addEventListener("pointerup", up);
stages.addEventListener("pointercancel", up);
stages.addEventListener("lostpointercapture", up);
stages.addEventListener("pointerleave", () => { cross(null); if (v?.maps) readout(null); if (ui.hover) { ui.hover = null; later("top"); } });
root.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && ui.sel) { e.stopPropagation(); const i = ui.sel[0]; drop(); panes[i]?.canvas.focus({ preventScroll: true }); return; }
  if (e.key === "Escape" && v?.maps && narrowed()) { e.stopPropagation(); ui.off = atFirst(); choose(null); return; }
  const p = e.target.matches("canvas.ground") && paneOf(e);
  if (!p || e.ctrlKey || e.metaKey || e.altKey) return;
  if (steered(e, p)) { e.preventDefault(); return; }
  if (e.key === "n" || e.key === "p") {
    const shown = p.order.filter((j) => p.shown[j]), k = ui.sel && ui.sel[0] === p.i ? shown.indexOf(ui.sel[1]) : -1;
    if (!shown.length) return;
    select(p.i, shown[(k + (e.key === "n" ? 1 : k < 0 ? 0 : -1) + shown.length) % shown.length]);
  } else return;
  e.preventDefault();
});
new ResizeObserver(() => { if (!v || !panes.length) return; arrange(); settle(); }).observe(root);
L.onLook(() => { if (!v || !panes.length) return load(); base.clear(); const keep = ui.sel; build(); filter(); controls(); later("main"); if (keep) select(...keep, false); });
watch("value", load);
load();
"select";
