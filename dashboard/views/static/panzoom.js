// Zoom and pan that all panes of a view share: ui.cx and ui.cy are the middle of what is seen, in pixels of the picture, and
// ui.k the zoom against a picture that just fits. The view has v.width, v.height and MOST, lead() gives the pane to
// measure by, paneOf(event) the pane meant, and moved() draws anew.
const fit = () => { ui.k = 1; ui.cx = v.width / 2; ui.cy = v.height / 2; };
const placeOf = (p) => {
  const w = p.view.clientWidth, h = p.view.clientHeight, fits = Math.min(w / v.width, h / v.height) || 1, s = fits * ui.k;
  return { w, h, fits, s, x: w / 2 - ui.cx * s, y: h / 2 - ui.cy * s };
};
const clampZoom = (k, fits) => Math.max(1, Math.min(Math.max(1, MOST / fits), k));
// The picture does not leave its pane, and is in the middle where it is smaller.
const settle = () => {
  const p = lead();
  if (!p) return;
  const { w, h, fits } = placeOf(p), side = (c, size, room) => { const half = room / (2 * fits * ui.k); return 2 * half >= size ? size / 2 : Math.max(half, Math.min(size - half, c)); };
  ui.k = clampZoom(ui.k, fits);
  ui.cx = side(ui.cx, v.width, w); ui.cy = side(ui.cy, v.height, h);
  moved();
};
// Zoom by a factor so that what is under (px, py) of a pane stays there.
const zoom = (factor, p = lead(), px = null, py = null) => {
  if (!p) return;
  const a = placeOf(p), x = px ?? a.w / 2, y = py ?? a.h / 2, ix = (x - a.x) / a.s, iy = (y - a.y) / a.s;
  ui.k = clampZoom(ui.k * factor, a.fits);
  const s = a.fits * ui.k;
  ui.cx = ix - (x - a.w / 2) / s; ui.cy = iy - (y - a.h / 2) / s;
  settle();
};
const pan = (dx, dy, p) => { const { s } = placeOf(p); ui.cx -= dx / s; ui.cy -= dy / s; settle(); };
const sized = (canvas, w, h, dpr) => { const W = Math.max(1, Math.round(w * dpr)), H = Math.max(1, Math.round(h * dpr)); if (canvas.width !== W || canvas.height !== H) { canvas.width = W; canvas.height = H; } };

// ---- wheel, mouse, fingers, keys ----
const stages = q(".panes"), fingers = new Map();
let drag = null; // of the first finger: its pane, where it began, whether it moved
const inside = (p, e) => { const r = p.view.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
stages.addEventListener("wheel", (e) => {
  const p = e.target.closest(".view") && paneOf(e);
  if (!p?.canvas) return;
  const step = Math.max(-120, Math.min(120, e.deltaY * (e.deltaMode ? 33 : 1))), factor = Math.exp(-step * (e.ctrlKey ? 0.01 : 0.0022));
  if (factor < 1 && ui.k <= 1 && !e.ctrlKey) return; // nothing to zoom out of: the page scrolls
  e.preventDefault();
  zoom(factor, p, ...inside(p, e));
}, { passive: false });
stages.addEventListener("pointerdown", (e) => {
  const p = e.target.matches("canvas.ground") && paneOf(e);
  if (!p || e.button > 0) return;
  fingers.set(e.pointerId, [e.clientX, e.clientY]);
  if (fingers.size === 1) drag = { p, x: e.clientX, y: e.clientY, moved: false };
});
const pinch = () => { const [a, b] = [...fingers.values()]; return { d: Math.hypot(a[0] - b[0], a[1] - b[1]) || 1, x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 }; };
// What a move does to the panes, if a button or finger is down.
const dragged = (e) => {
  if (!fingers.has(e.pointerId) || !drag) return;
  const before = fingers.size > 1 ? pinch() : null, from = fingers.get(e.pointerId);
  fingers.set(e.pointerId, [e.clientX, e.clientY]);
  if (before) {
    const now = pinch(), r = drag.p.view.getBoundingClientRect();
    drag.moved = true; pan(now.x - before.x, now.y - before.y, drag.p); zoom(now.d / before.d, drag.p, now.x - r.left, now.y - r.top);
    return;
  }
  if (!drag.moved && Math.hypot(e.clientX - drag.x, e.clientY - drag.y) > 4) { drag.moved = true; try { drag.p.canvas.setPointerCapture(e.pointerId); } catch {} stages.classList.add("dragging"); }
  if (drag.moved && ui.k > 1) pan(e.clientX - from[0], e.clientY - from[1], drag.p);
};
// The end of a drag or a tap: gives it when the last finger is lifted, else null.
const dropped = (e) => {
  if (!fingers.delete(e.pointerId)) return null;
  stages.classList.remove("dragging");
  const d = drag;
  if (fingers.size) { drag.moved = true; return null; }
  drag = null;
  return d;
};
// Arrows move, + and - zoom, 0 shows all; gives whether the key was one of these and did something.
const steered = (e, p) => {
  const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
  if (step) { if (ui.k <= 1) return false; pan(...step, p); }
  else if (e.key === "+" || e.key === "=") zoom(1.25, p);
  else if (e.key === "-") zoom(0.8, p);
  else if (e.key === "0") { fit(); settle(); }
  else return false;
  return true;
};
