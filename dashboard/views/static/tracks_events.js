// What a person does in the track player: buttons, keys, the pointer in pictures, on the axis and in the lanes.
const paneOf = (e) => panes[e.target.closest?.("[data-pane]")?.dataset.pane];
const ready = () => v && panes.length;
root.addEventListener("click", (e) => {
  if (!ready()) return;
  const at = (name) => e.target.closest(`[data-${name}]`), act = at("do")?.dataset.do, z = at("zoom");
  if (act === "play") toggle();
  else if (act === "back" || act === "on") { pause(); seek(ui.frame + (act === "on" ? 1 : -1)); }
  else if (act === "before" || act === "after") nextMark(act === "after" ? 1 : -1);
  else if (act === "loop") { ui.loop = !ui.loop; if (ui.playing) ui.span = ui.loop ? loopSpan() : null; pressed(); }
  else if (act === "free") { select(null); q("[data-find]")?.focus({ preventScroll: true }); }
  else if (act === "csv") saveCsv(at("do"));
  else if (at("flag")) { const k = at("flag").dataset.flag; ui[k] = !ui[k]; pressed(); later("main"); }
  else if (at("class")) { const c = +at("class").dataset.class; if (!ui.off.delete(c)) ui.off.add(c); pressed(); later("main"); later("time"); }
  else if (at("all")) { ui.off.clear(); pressed(); later("main"); later("time"); q("[data-class]")?.focus({ preventScroll: true }); }
  else if (at("focus")) { ui.focus = +at("focus").dataset.focus; later("story"); }
  else if (at("kinds")) { const k = at("kinds").dataset.kinds; if (!ui.kinds.delete(k)) ui.kinds.add(k); eventList(); }
  else if (at("event")) choose(ui.focus, +at("event").dataset.event);
  else if (z) { if (z.dataset.zoom === "fit") { fit(); settle(); } else zoom(z.dataset.zoom === "in" ? 1.5 : 1 / 1.5); }
});
root.addEventListener("input", (e) => {
  const d = e.target.dataset;
  if (!ready()) return;
  if ("scrub" in d) go(+e.target.value);
  else if ("tail" in d) { ui.tail = +e.target.value; e.target.nextElementSibling.textContent = ui.tail; later("main"); }
  else if ("score" in d) { ui.t = +e.target.value; e.target.nextElementSibling.textContent = ui.t.toFixed(2); later("main"); }
});
root.addEventListener("change", (e) => {
  const d = e.target.dataset;
  if (!ready()) return;
  if ("speed" in d) setSpeed(+e.target.value);
  else if ("sort" in d) { ui.sort = e.target.value; laneScroll.scrollTop = 0; later("time"); }
  else if ("goto" in d) { const n = Math.round(+e.target.value); if (e.target.value !== "" && Number.isFinite(n)) { pause(); seek(n - v.first); } e.target.value = v.first + ui.frame; }
  else if ("find" in d) findId(e.target);
});
// "7": the true identity 7, or the predicted one where there is no such truth; "p7": the predicted one.
const findId = (field) => {
  const said = /^\s*(p?)\s*(-?\d+)\s*$/i.exec(field.value), id = said && +said[2], p = focusPane();
  field.setCustomValidity?.("");
  if (!field.value.trim()) { select(null); return; }
  const isTrue = (o, want) => !!o?.id.includes(want);
  if (said && !said[1] && isTrue(v.truthBoxes, id)) meet({ true: id }, v.truthBoxes);
  else if (said && isTrue(p.found, id)) meet({ pane: p.i, id }, p.found);
  else { q(".sr").textContent = T("find.none", { id: field.value.trim() }); field.setCustomValidity(T("find.none", { id: field.value.trim() })); field.reportValidity(); }
};
// Choose, and go to where it is first seen if it is not in this frame.
const meet = (sel, o) => {
  const id = sel.true ?? sel.id;
  select(sel);
  if (rowOf(o, ui.frame, id) >= 0) return;
  const j = o.id.indexOf(id);
  let f = 0;
  while (o.off[f + 1] <= j) f++;
  pause(); seek(f);
};

// ---- the pointer in the pictures ----
let tapped = { at: -1e9, x: 0, y: 0 };
stages.addEventListener("pointermove", (e) => {
  const p = paneOf(e);
  if (!ready()) return;
  dragged(e);
  if (p?.canvas && !drag?.moved && e.target === p.canvas) p.canvas.style.cursor = boxesUnder(p, ...inside(p, e)).length ? "pointer" : ui.k > 1 ? "grab" : "default";
});
const up = (e) => {
  const d = dropped(e);
  if (!d || d.moved || e.type !== "pointerup" || !panes.includes(d.p)) return;
  if (e.timeStamp - tapped.at < 350 && Math.hypot(e.clientX - tapped.x, e.clientY - tapped.y) < 6) return; // the second half of a double click
  tapped = { at: e.timeStamp, x: e.clientX, y: e.clientY };
  const hits = boxesUnder(d.p, ...inside(d.p, e)), sels = hits.map((h) => selOf(d.p, h)), now = JSON.stringify(ui.sel), k = sels.findIndex((s) => JSON.stringify(s) === now);
  if (!hits.length) { if (ui.sel) select(null); return; }
  select(k >= 0 && sels.length === 1 ? null : sels[(k + 1) % sels.length]); // again at the same place: the next one beneath
};
const selOf = (p, h) => {
  const row = h.side === "truth" ? h.j : (p.match?.[h.j] ?? -1);
  return row >= 0 ? { true: v.truthBoxes.id[row] } : { pane: p.i, id: p.found.id[h.j] };
};
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) stages.addEventListener(name, up);
root.addEventListener("dblclick", (e) => {
  if (!ready()) return;
  if (e.target.matches("canvas.ground")) { fit(); settle(); }
  else if (e.target.closest(".plot, .lanes, .window")) window_(0, v.frames);
});

// ---- the axis of time: scrub, zoom, move ----
const across = (e) => e.clientX - axis.getBoundingClientRect().left;
const scrubbing = new Map();
plot.addEventListener("pointerdown", (e) => {
  if (!ready() || e.button > 0) return;
  scrubbing.set(e.pointerId, across(e));
  try { plot.setPointerCapture(e.pointerId); } catch {}
  if (scrubbing.size === 1) go(frameOfX(across(e)));
});
plot.addEventListener("pointermove", (e) => {
  if (!ready()) return;
  const x = across(e), f = frameOfX(x);
  if (scrubbing.has(e.pointerId)) {
    if (scrubbing.size > 1) { // two fingers: what is between them stays between them
      const was = [...scrubbing.values()], w = Math.abs(was[0] - was[1]) || 1;
      scrubbing.set(e.pointerId, x);
      const now = [...scrubbing.values()], middleX = (now[0] + now[1]) / 2;
      zoomTime(w / (Math.abs(now[0] - now[1]) || 1), middleX);
      return;
    }
    scrubbing.set(e.pointerId, x);
    if (f !== ui.frame) go(f);
  }
  point(f, said(f, numbersOf(focusPane(), f)), plot.offsetTop + 20);
});
const said = (f, lines) => `<b>${L.esc(T("frame"))} ${L.int(v.first + f)}</b> <small>${clock(timeOf(f) - timeOf(0))}</small>${lines.map((s) => `<span>${L.esc(s)}</span>`).join("")}`;
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) plot.addEventListener(name, (e) => scrubbing.delete(e.pointerId));
const wheel = (e, always) => {
  if (!ready()) return;
  const sideways = Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey, step = (sideways ? e.deltaX || e.deltaY : e.deltaY) * (e.deltaMode ? 33 : 1);
  if (sideways) { e.preventDefault(); const d = (step / axisWidth()) * (ui.b - ui.a); window_(ui.a + d, ui.b + d); return; }
  if (!always && !e.ctrlKey) return;
  if (step > 0 && ui.b - ui.a >= v.frames && !e.ctrlKey) return; // all of it is in sight: the page scrolls
  e.preventDefault();
  zoomTime(Math.exp(Math.max(-120, Math.min(120, step)) * (e.ctrlKey ? 0.01 : 0.0025)), across(e));
};
plot.addEventListener("wheel", (e) => wheel(e, true), { passive: false });
laneScroll.addEventListener("wheel", (e) => wheel(e, false), { passive: false });
for (const e of [plot, laneScroll]) e.addEventListener("pointerleave", () => point(null));
const strip = q(".window");
let pulled = null; // what of the window is pulled, and from where
strip.addEventListener("pointerdown", (e) => {
  if (!ready() || e.button > 0) return;
  const grip = e.target.closest("[data-grip]"), thumb = e.target.closest(".thumb"), w = strip.clientWidth, f = ((e.clientX - strip.getBoundingClientRect().left) / w) * v.frames;
  if (!thumb) window_(f - (ui.b - ui.a) / 2, f + (ui.b - ui.a) / 2);
  pulled = { id: e.pointerId, what: grip?.dataset.grip ?? "both", from: f, a: ui.a, b: ui.b };
  strip.setPointerCapture(e.pointerId);
});
strip.addEventListener("pointermove", (e) => {
  if (pulled?.id !== e.pointerId) return;
  const d = ((e.clientX - strip.getBoundingClientRect().left) / strip.clientWidth) * v.frames - pulled.from, least = Math.min(SHORTEST, v.frames);
  if (pulled.what === "a") window_(Math.min(pulled.b - least, Math.max(0, pulled.a + d)), pulled.b);
  else if (pulled.what === "b") window_(pulled.a, Math.max(pulled.a + least, Math.min(v.frames, pulled.b + d)));
  else window_(pulled.a + d, pulled.b + d);
});
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) strip.addEventListener(name, () => { pulled = null; });

// ---- lanes ----
laneScroll.addEventListener("scroll", () => { point(null); later("time"); }, { passive: true });
const underLane = (e) => { const r = laneScroll.getBoundingClientRect(); return laneAt(across(e), e.clientY - r.top); };
laneScroll.addEventListener("pointermove", (e) => {
  if (!ready()) return;
  const { lane, mark } = underLane(e), x = across(e), f = frameOfX(x);
  laneScroll.style.cursor = lane ? "pointer" : "";
  if (!lane || e.pointerType === "touch") { point(null); return; }
  const at = mark !== null ? focusPane().events.frame[mark] : f;
  point(at, `<span>${L.esc(mark !== null ? markText(focusPane(), mark) : laneText(lane, f))}</span>`, lanesBox.offsetTop + e.clientY - laneScroll.getBoundingClientRect().top + 14);
});
laneScroll.addEventListener("click", (e) => {
  if (!ready() || e.detail > 1) return;
  const { lane, mark } = underLane(e), p = focusPane(), x = across(e);
  if (!lane) return;
  if (mark !== null) { choose(p.i, mark); return; }
  select(p.match || alone ? { true: lane.id } : { pane: p.i, id: lane.id });
  if (x >= LEFT && x <= LEFT + axisWidth()) go(frameOfX(x));
});

// ---- keys ----
root.addEventListener("keydown", (e) => {
  if (!ready() || e.ctrlKey || e.metaKey || e.altKey) return;
  const t = e.target, typing = t.matches("input:not([type=range]), select, textarea"), grip = t.dataset?.grip;
  if (e.key === "Escape" && (ui.sel || ui.mark)) { e.stopPropagation(); select(null); return; }
  if (typing) return;
  if (grip && /^Arrow(Left|Right)$/.test(e.key)) { const d = (e.key === "ArrowRight" ? 0.05 : -0.05) * v.frames, least = Math.min(SHORTEST, v.frames); if (grip === "a") window_(Math.max(0, Math.min(ui.b - least, ui.a + d)), ui.b); else window_(ui.a, Math.min(v.frames, Math.max(ui.a + least, ui.b + d))); e.preventDefault(); return; }
  if (t.matches("[data-tail], [data-score]")) return; // their own arrows
  if (/^Arrow(Up|Down)$/.test(e.key) && upDown(t, e.key === "ArrowDown" ? 1 : -1)) { e.preventDefault(); return; }
  const p = t.matches("canvas.ground") && paneOf(e), second = Math.max(1, Math.round(fps()));
  if (e.key === " ") { if (t.matches("button, a")) return; toggle(); }
  else if (e.key === "ArrowLeft" || e.key === "ArrowRight") { const d = e.key === "ArrowRight" ? 1 : -1; pause(); seek(e.shiftKey ? (v.t ? nearest(timeOf(ui.frame) + d) : ui.frame + d * second) : ui.frame + d); }
  else if (e.key === "Home" || e.key === "End") { pause(); seek(e.key === "Home" ? 0 : v.frames - 1); }
  else if (e.key === "," || e.key === ".") nextMark(e.key === "." ? 1 : -1);
  else if (!p || !/^[-+=0]$/.test(e.key) || !steered(e, p)) return;
  e.preventDefault();
});
// Up and down: through the list of marks, or from lane to lane.
const upDown = (t, step) => {
  if (t.dataset.event !== undefined) {
    const r = listed.indexOf(+t.dataset.event) + step;
    if (r >= 0 && r < listed.length) { showEvent(listed[r]); listBox.querySelector(`[data-event="${listed[r]}"]`)?.focus({ preventScroll: true }); }
    return true;
  }
  if (t !== laneScroll) return false;
  const rows = laneRows(), p = focusPane(), r = rows.findIndex((l) => l.id === chosenLane(p)), l = rows[r < 0 ? 0 : r + step];
  if (l) { select(p.match || alone ? { true: l.id } : { pane: p.i, id: l.id }); reveal(l.id); }
  return true;
};
new ResizeObserver(() => { if (!ready()) return; arrange(); settle(); later("time"); eventRows(); }).observe(root);
L.onLook(() => { if (!ready()) return load(); look(); build(); controls(); settle(); later("story"); later("main"); });
element._tracks = root._tracks = { frame: () => ui.shown, seek: (f) => { pause(); seek(f); }, playing: () => ui.playing };
watch("value", load);
load();
