// What a person does in the enhancement view: pointing, dragging, the slider, keys, and the buttons.
const paneOf = (e) => { const i = e.target.closest?.("[data-pane]")?.dataset.pane; return i === "stage" ? stagePane : panes[i]; };
const focusOn = (selector) => q(selector)?.focus({ preventScroll: true });
const flip = (on) => { if (ui.flip === on || ui.flipTo === null) return; ui.flip = on; pressed(); tags(); sides(); later("main"); };
root.addEventListener("click", (e) => {
  if (!v || !panes.length) return;
  const at = (name) => e.target.closest(`button[data-${name}]`), z = at("zoom");
  if (at("layout")) { ui.layout = at("layout").dataset.layout; ui.flip = false; point(null); build(); settle(); controls(); focusOn(`[data-layout="${ui.layout}"]`); }
  else if (at("mode")) { ui.mode = at("mode").dataset.mode; ui.gain = 0; pressed(); mapBar(); later("maps"); }
  else if (at("channel")) { ui.channel = at("channel").dataset.channel; pressed(); later("maps"); }
  else if (at("auto")) { ui.gain = 0; q("[data-gain]").value = 0; later("maps"); }
  else if (at("loupe")) { ui.loupe = !ui.loupe; pressed(); point(...pointed); }
  else if (at("hist")) { ui.hist = !ui.hist; pressed(); mapBar(); for (const p of panes) if (p.hist) p.hist.hidden = !ui.hist; later("hist"); }
  else if (at("plain")) { ui.plain = !ui.plain; build(); pressed(); }
  else if (at("flip")) flip(!ui.flip);
  else if (at("by")) { ui.by = at("by").dataset.by; ui.region = ui.over = before = null; worst(); later("main"); focusOn(`[data-by="${ui.by}"]`); }
  else if (at("region")) chooseRegion(...at("region").dataset.region.split(" ").map(Number));
  else if (z) {
    const { fits } = placeOf(lead());
    if (z.dataset.zoom === "fit") { fit(); settle(); }
    else if (z.dataset.zoom === "one") zoom(1 / (devicePixelRatio || 1) / fits / ui.k);
    else zoom(z.dataset.zoom === "in" ? 1.5 : 1 / 1.5);
  }
});
// A region in all panes; the same again goes back to where one was.
const chooseRegion = (i, n) => {
  const same = String(ui.region) === `${i},${n}`, r = regionAt([i, n]);
  if (!r || !lead()) return;
  if (same) { ui.region = ui.over = null; if (before) [ui.k, ui.cx, ui.cy] = before; before = null; settle(); }
  else { before ??= [ui.k, ui.cx, ui.cy]; ui.region = [i, n]; goTo(r); q(".stage").scrollIntoView({ block: "nearest" }); }
  q(".sr").textContent = same ? "" : T("worst.label", { model: nameOf(i), n: n + 1, value: regionNumber(r.value) });
  pressed(); later("main");
};
// A chip that is pointed at shows its box.
for (const [name, on] of [["pointerover", true], ["pointerout", false], ["focusin", true], ["focusout", false]])
  root.addEventListener(name, (e) => { const chip = e.target.closest?.("[data-region]"); if (chip) { ui.over = on ? chip.dataset.region.split(" ").map(Number) : null; later("main"); } });
root.addEventListener("change", (e) => {
  const s = e.target;
  if (s.dataset.side) { ui[s.dataset.side] = +s.value; sides(); later("main"); }
  else if ("other" in s.dataset) { ui.other = +s.value; later("maps"); }
  else if ("boxes" in s.dataset) { ui.boxes = s.checked; later("main"); }
});
root.addEventListener("input", (e) => { if ("gain" in e.target.dataset) { ui.gain = +e.target.value; later("maps"); } });
root.addEventListener("dblclick", (e) => { if (v && e.target.matches("canvas.ground")) { fit(); settle(); } });

// ---- the divider: by its knob, or anywhere while the whole picture is in sight ----
let sliding = null;
const slide = (x) => { ui.split = Math.max(0, Math.min(1, x)); later("main"); };
const slideTo = (e) => slide(inside(stagePane, e)[0] / stagePane.view.clientWidth);
stages.addEventListener("pointerdown", (e) => {
  const knob = e.button > 0 ? null : e.target.closest(".knob");
  if (!knob) return;
  sliding = e.pointerId; knob.setPointerCapture(e.pointerId); knob.focus({ preventScroll: true }); e.preventDefault();
});
stages.addEventListener("pointermove", (e) => {
  if (sliding === e.pointerId && stagePane) { slideTo(e); return; }
  const p = paneOf(e);
  dragged(e);
  if (drag?.moved && drag.p === stagePane && ui.k <= 1 && fingers.size === 1) slideTo(e);
  if (!p?.canvas || drag?.moved || !e.target.closest(".view")) point(null);
  else point(placeUnder(p, e), p, e.pointerType === "touch");
});
const up = (e) => {
  if (sliding === e.pointerId) { sliding = null; return; }
  const d = dropped(e);
  if (d && !d.moved && e.type === "pointerup" && e.pointerType === "touch" && d.p.canvas?.isConnected) point(placeUnder(d.p, e), d.p, true); // a finger does not hover
};
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) stages.addEventListener(name, up);
stages.addEventListener("pointerleave", (e) => { if (v && !fingers.size && e.pointerType !== "touch") point(null); });

// ---- pointing: values in all panes, the loupe, and lines on the other panes ----
const placeUnder = (p, e) => { const [x, y] = inside(p, e), a = placeOf(p); return [(x - a.x) / a.s, (y - a.y) / a.s]; };
// The pixel of a pane's own picture at a place of the shared area, which may have more of them; and its number.
const pixelAt = (p, at) => { const w = p.bitmap.width, h = p.bitmap.height, x = Math.min(w - 1, Math.floor((at[0] * w) / v.width)), y = Math.min(h - 1, Math.floor((at[1] * h) / v.height)); return [x, y, y * w + x]; };
let pointed = [null];
const point = (at, from = null, touch = false) => {
  pointed = at ? [at, from, touch] : [null];
  const there = at && at[0] >= 0 && at[1] >= 0 && at[0] < v.width && at[1] < v.height ? at : null;
  for (const p of drawn()) {
    reading(p, there); lens(p, ui.loupe ? there : null);
    if (!p.lines[0]) continue;
    const on = there && !touch && !ui.loupe && p !== from, a = on && placeOf(p);
    p.lines[0].hidden = p.lines[1].hidden = !on;
    if (on) { p.lines[0].style.transform = `translateY(${at[1] * a.s + a.y}px)`; p.lines[1].style.transform = `translateX(${at[0] * a.s + a.x}px)`; }
  }
};
const valueAt = (p, at) => {
  const [x, y, n] = pixelAt(p, at), d = pixels(p), [r, g, b, alpha] = [0, 1, 2, 3].map((c) => d[4 * n + c]), value = mappedOf(p) && p.values[n];
  const said = value === false ? `${r} ${g} ${b}${p.alpha ? ` · α ${alpha}` : ""}` : `${signed() && value > 0 ? "+" : ""}${ui.mode === "ssim" ? value.toFixed(3) : +value.toFixed(2)}`.replace("-", "−");
  return `<small>${x}, ${y}</small>` + (value === false ? `<i style="background:rgb(${r},${g},${b})"></i>` : `<span>${L.esc(T(`mode.${ui.mode}`))}</span>`) + `<b data-value>${said}</b>`;
};
const reading = (p, at) => {
  const of = at ? (p === stagePane ? bothSides() : panesUnder(p, at)).filter((o) => o.bitmap) : [];
  p.reader.hidden = !of.length;
  if (!of.length) return;
  const a = placeOf(p);
  p.reader.classList.toggle("top", at[1] * a.s + a.y > a.h - 44); // out of the pointer's way
  p.reader.innerHTML = of.map((o) => (p === stagePane ? `<span class="of">${L.esc(text(o.title))}</span>` : "") + valueAt(o, at)).join("");
};

// ---- keys ----
root.addEventListener("keydown", (e) => {
  if (!v || !panes.length) return;
  if (e.key === "Escape" && ui.region) { e.stopPropagation(); chooseRegion(...ui.region); return; }
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const knob = e.target.matches(".knob"), p = knob ? stagePane : e.target.matches("canvas.ground") && paneOf(e);
  if (!p) return;
  const step = knob && { ArrowLeft: -0.02, ArrowRight: 0.02, ArrowDown: -0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1 }[e.key], end = knob ? { Home: 0, End: 1 }[e.key] : undefined;
  if (step) slide(ui.split + step);
  else if (end !== undefined) slide(end);
  else if (e.key === " ") flip(true);
  else if (!steered(e, p)) return;
  e.preventDefault();
});
root.addEventListener("keyup", (e) => { if (e.key === " " && e.target.matches("canvas.ground, .knob")) flip(false); });
root.addEventListener("focusout", (e) => { if (e.target.matches("canvas.ground, .knob")) flip(false); });
new ResizeObserver(() => { if (!v || !panes.length) return; arrange(); settle(); later("hist"); }).observe(root);
L.onLook(() => { if (!v || !panes.length) return load(); build(); controls(); settle(); });
watch("value", load);
load();
