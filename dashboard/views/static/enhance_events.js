// What a person does in the enhancement view: pointing, dragging, the slider, keys, and the buttons.
const refresh = () => { controls(); later("span"); };
root.addEventListener("click", (e) => {
  if (!v || !panes.length) return;
  const at = (name) => e.target.closest(`[data-${name}]`), z = at("zoom");
  const keep = (selector) => q(selector)?.focus({ preventScroll: true });
  if (at("layout")) { ui.layout = at("layout").dataset.layout; build(); settle(); controls(); keep(`[data-layout="${ui.layout}"]`); }
  else if (at("mode")) { ui.mode = at("mode").dataset.mode; refresh(); keep(`[data-mode="${ui.mode}"]`); }
  else if (at("channel")) { ui.channel = at("channel").dataset.channel; pressed(); later("span"); }
  else if (at("loupe")) { ui.loupe = !ui.loupe; pressed(); if (!ui.loupe) point(null); }
  else if (at("hist")) { ui.hist = !ui.hist; pressed(); for (const p of panes) if (p.hist && p.image) p.hist.hidden = !ui.hist; later("hist"); }
  else if (at("flip")) { ui.flip = !ui.flip; pressed(); later("main"); }
  else if (at("by")) { ui.by = at("by").dataset.by; ui.region = null; worst(); later("main"); keep(`[data-by="${ui.by}"]`); }
  else if (at("region")) chooseRegion(...at("region").dataset.region.split(" ").map(Number));
  else if (z) {
    const first = drawn()[0];
    if (z.dataset.zoom === "fit") { fit(); settle(); }
    else if (z.dataset.zoom === "one") { ui.k = Math.max(1, 1 / (placeOf(first).fits * (devicePixelRatio || 1))); settle(); }
    else zoom(z.dataset.zoom === "in" ? 1.5 : 1 / 1.5);
  }
});
// A region in all panes; the same again goes back to where one was.
const chooseRegion = (i, n) => {
  const r = panes[i]?.regions?.[ui.by]?.[n];
  if (!r) return;
  if (String(ui.region) === `${i},${n}`) { ui.region = null; if (before) [ui.k, ui.cx, ui.cy] = before; before = null; settle(); }
  else { if (!ui.region) before = [ui.k, ui.cx, ui.cy]; ui.region = [i, n]; goTo(r); q(".stage").scrollIntoView({ block: "nearest" }); }
  pressed(); later("main");
};
root.addEventListener("change", (e) => {
  const s = e.target;
  if (s.dataset.side) { ui[s.dataset.side] = +s.value; sides(); later("main"); }
  else if ("other" in s.dataset) { ui.other = +s.value; later("span"); }
  else if ("boxes" in s.dataset) { ui.boxes = s.checked; later("main"); }
});
root.addEventListener("input", (e) => { if ("gain" in e.target.dataset) { ui.gain = -e.target.value; later("span"); } });
root.addEventListener("dblclick", (e) => { if (v && e.target.matches("canvas.ground")) { fit(); settle(); } });
let drag = null, sliding = false;
const fingers = new Map(), stages = q(".panes");
const paneOf = (e) => { const i = e.target.closest?.("[data-pane]")?.dataset.pane; return i === "stage" ? stagePane : panes[i]; };
const inside = (p, e) => { const r = p.view.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
const place = (p, e) => { const [x, y] = inside(p, e), a = placeOf(p); return [(x - a.x) / a.s, (y - a.y) / a.s]; };
stages.addEventListener("wheel", (e) => {
  const p = e.target.closest(".view") && paneOf(e);
  if (!p?.canvas) return;
  const step = Math.max(-120, Math.min(120, e.deltaY * (e.deltaMode ? 33 : 1))), factor = Math.exp(-step * (e.ctrlKey ? 0.01 : 0.0022));
  if (factor < 1 && ui.k <= 1 && !e.ctrlKey) return; // nothing to zoom out of: the page scrolls
  e.preventDefault();
  zoom(factor, p, ...inside(p, e));
}, { passive: false });
const slide = (x) => { ui.split = Math.max(0, Math.min(1, x)); later("main"); };
stages.addEventListener("pointerdown", (e) => {
  if (e.button > 0) return;
  const knob = e.target.closest(".knob");
  if (knob) { sliding = true; knob.setPointerCapture(e.pointerId); knob.focus({ preventScroll: true }); e.preventDefault(); return; }
  const p = e.target.matches("canvas.ground") && paneOf(e);
  if (!p) return;
  fingers.set(e.pointerId, [e.clientX, e.clientY]);
  if (fingers.size === 1) drag = { p, x: e.clientX, y: e.clientY, moved: false };
});
const pinch = () => { const [a, b] = [...fingers.values()]; return { d: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1, x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 }; };
stages.addEventListener("pointermove", (e) => {
  if (sliding) { const r = stagePane.view.getBoundingClientRect(); slide((e.clientX - r.left) / r.width); return; }
  const p = paneOf(e);
  if (fingers.has(e.pointerId) && drag) {
    const was = fingers.size > 1 ? pinch() : null, from = fingers.get(e.pointerId);
    fingers.set(e.pointerId, [e.clientX, e.clientY]);
    if (was) { const now = pinch(), r = drag.p.view.getBoundingClientRect(); drag.moved = true; pan(now.x - was.x, now.y - was.y, drag.p); zoom(now.d / was.d, drag.p, now.x - r.left, now.y - r.top); }
    else {
      if (!drag.moved && Math.hypot(e.clientX - drag.x, e.clientY - drag.y) > 4) { drag.moved = true; try { drag.p.canvas.setPointerCapture(e.pointerId); } catch {} stages.classList.add("dragging"); }
      if (drag.moved && ui.k > 1) pan(e.clientX - from[0], e.clientY - from[1], drag.p);
    }
  }
  if (!p?.canvas || drag?.moved || !e.target.closest(".view")) { point(null); return; }
  point(place(p, e), p, e.pointerType === "touch");
});
// The pointer at a place of the picture: values, the loupe, and lines on the other panes.
const point = (at, from = null, touch = false) => {
  const inside_ = at && at[0] >= 0 && at[1] >= 0 && at[0] < v.width && at[1] < v.height ? at : null;
  for (const p of drawn()) {
    reading(p, inside_);
    lens(p, ui.loupe ? inside_ : null);
    if (!p.lines[0]) continue;
    const on = inside_ && !touch && !ui.loupe && p !== from && drawn().length > 1, a = placeOf(p);
    p.lines[0].hidden = p.lines[1].hidden = !on;
    if (on) { p.lines[0].style.transform = `translateY(${at[1] * a.s + a.y}px)`; p.lines[1].style.transform = `translateX(${at[0] * a.s + a.x}px)`; }
  }
};
// The place in a pane's own picture, which may be smaller than the shared area.
const pixelAt = (p, at) => { const w = p.bitmap.width, h = p.bitmap.height, x = Math.min(w - 1, Math.floor((at[0] * w) / v.width)), y = Math.min(h - 1, Math.floor((at[1] * h) / v.height)); return [x, y, y * w + x]; };
const reading = (p, at) => {
  const of = p === stagePane ? panes[at && at[0] * placeOf(p).s + placeOf(p).x < ui.split * p.view.clientWidth ? ui.left : ui.right] : p;
  p.reader.hidden = !at || !of?.bitmap;
  if (p.reader.hidden) return;
  const [x, y, n] = pixelAt(of, at), values = ui.mode !== "picture" && of.role === "model" ? valuesOf(of) : null, d = pixels(of);
  p.reader.classList.toggle("top", at[1] * placeOf(p).s + placeOf(p).y > p.view.clientHeight - 60);
  const said = values ? `${L.esc(T(`mode.${ui.mode}`))} <b data-value>${ui.mode === "ssim" ? values[n].toFixed(3) : `${signed() && values[n] > 0 ? "+" : ""}${+values[n].toFixed(2)}`}</b>` : `<i style="background:rgb(${d[4 * n]},${d[4 * n + 1]},${d[4 * n + 2]})"></i><b data-value>${d[4 * n]} ${d[4 * n + 1]} ${d[4 * n + 2]}</b>${of.alpha ? ` α ${d[4 * n + 3]}` : ""}`;
  p.reader.innerHTML = `<small>${x}, ${y}</small><span>${said}</span>`;
};
const up = (e) => {
  if (sliding) { sliding = false; return; }
  if (!fingers.delete(e.pointerId)) return;
  stages.classList.remove("dragging");
  const d = drag;
  if (fingers.size) { drag.moved = true; return; }
  drag = null;
  if (d && !d.moved && e.type === "pointerup" && e.pointerType === "touch") point(place(d.p, e), d.p, true);
};
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) stages.addEventListener(name, up);
stages.addEventListener("pointerleave", () => { if (v && !fingers.size) point(null); });
root.addEventListener("keydown", (e) => {
  if (!v || !panes.length) return;
  if (e.key === "Escape" && ui.region) { e.stopPropagation(); chooseRegion(...ui.region); return; }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target.matches(".knob")) {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, ArrowDown: -0.02, ArrowUp: 0.02 }[e.key], end = { Home: 0, End: 1 }[e.key];
    if (step) slide(ui.split + step); else if (end !== undefined) slide(end); else return;
    e.preventDefault(); return;
  }
  const p = e.target.matches("canvas.ground") && paneOf(e);
  if (!p) return;
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
  if (step) { if (ui.k <= 1) return; pan(...step, p); }
  else if (e.key === "+" || e.key === "=") zoom(1.25, p);
  else if (e.key === "-") zoom(0.8, p);
  else if (e.key === "0") { fit(); settle(); }
  else if (e.key === " ") { if (!e.repeat) { ui.flip = true; pressed(); later("main"); } }
  else return;
  e.preventDefault();
});
root.addEventListener("keyup", (e) => { if (e.key === " " && e.target.matches("canvas.ground") && ui.flip) { ui.flip = false; pressed(); later("main"); } });
new ResizeObserver(() => { if (!v || !panes.length) return; arrange(); settle(); if (ui.hist) later("hist"); }).observe(root);
L.onLook(() => { if (!v || !panes.length) return load(); build(); controls(); settle(); });
watch("value", load);
load();
