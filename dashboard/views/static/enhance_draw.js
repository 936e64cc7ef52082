// How the enhancement view draws: a pane or the slider's stage, boxes, the loupe and histograms.
const GRID_FROM = 24; // screen pixels a pixel from which on the grid between pixels is drawn
const sized = (canvas, w, h, dpr) => { const x = Math.max(1, Math.round(w * dpr)), y = Math.max(1, Math.round(h * dpr)); if (canvas.width !== x || canvas.height !== y) { canvas.width = x; canvas.height = y; } };
const shownOf = (p) => (ui.mode !== "picture" && p.role === "model" && spriteOf(p)) || p.bitmap;
// A picture over the shared area: single pixels stay squares when enlarged, and are averaged when made smaller.
const lay = (g, bitmap, a) => {
  if (!bitmap) return;
  g.imageSmoothingEnabled = (v.width * a.s * (devicePixelRatio || 1)) / bitmap.width < 1;
  g.imageSmoothingQuality = "high";
  g.drawImage(bitmap, a.x, a.y, v.width * a.s, v.height * a.s);
};
const ground = (g, a, p) => {
  g.fillStyle = L.css("--background-fill-secondary") || "#888"; g.fillRect(0, 0, a.w, a.h);
  if (!p?.alpha) return;
  const x0 = Math.max(0, a.x), y0 = Math.max(0, a.y), x1 = Math.min(a.w, a.x + v.width * a.s), y1 = Math.min(a.h, a.y + v.height * a.s);
  for (let y = y0, j = 0; y < y1; y += 8, j++) for (let x = x0, i = 0; x < x1; x += 8, i++) { g.fillStyle = (i + j) % 2 ? "#c8c8c8" : "#f4f4f4"; g.fillRect(x, y, Math.min(8, x1 - x), Math.min(8, y1 - y)); }
};
const around = (g, p, a) => {
  if (a.s >= GRID_FROM && p.bitmap) {
    const step = (v.width / p.bitmap.width) * a.s;
    g.strokeStyle = "#0003"; g.lineWidth = 1; g.beginPath();
    for (let x = a.x + Math.ceil(-a.x / step) * step; x < Math.min(a.w, a.x + v.width * a.s); x += step) { g.moveTo(Math.round(x) + 0.5, Math.max(0, a.y)); g.lineTo(Math.round(x) + 0.5, Math.min(a.h, a.y + v.height * a.s)); }
    for (let y = a.y + Math.ceil(-a.y / step) * step; y < Math.min(a.h, a.y + v.height * a.s); y += step) { g.moveTo(Math.max(0, a.x), Math.round(y) + 0.5); g.lineTo(Math.min(a.w, a.x + v.width * a.s), Math.round(y) + 0.5); }
    g.stroke();
  }
  const cut = v.border / v.reduced;
  if (cut > 0 && p.role === "model") box(g, [a.x + cut * a.s, a.y + cut * a.s, (v.width - 2 * cut) * a.s, (v.height - 2 * cut) * a.s], "#fff", [4, 4], 1);
  const mine = (p.regions?.[ui.by] || []).map((r, n) => [r, n, p.i]), meant = ui.region && panes[ui.region[0]]?.regions?.[ui.by]?.[ui.region[1]];
  for (const [r, n, i] of ui.boxes ? mine : []) if (!meant || ui.region[0] !== i || ui.region[1] !== n) mark(g, r, n, a, false);
  if (meant) mark(g, meant, ui.region[1], a, true);
};
const box = (g, [x, y, w, h], color, dash, width) => { g.setLineDash([]); g.lineWidth = width + 2; g.strokeStyle = "#000a"; g.strokeRect(x, y, w, h); g.setLineDash(dash); g.lineWidth = width; g.strokeStyle = color; g.strokeRect(x, y, w, h); g.setLineDash([]); };
const mark = (g, r, n, a, on) => {
  const x = a.x + r.x * a.s, y = a.y + r.y * a.s, w = r.w * a.s, h = r.h * a.s;
  box(g, [x, y, w, h], on ? "#ffd43b" : "#fff", [], on ? 2.5 : 1.2);
  g.fillStyle = on ? "#ffd43b" : "#fff"; g.fillRect(x, y, 15, 15);
  g.fillStyle = "#111"; g.font = `600 11px ${L.css("--font") || "sans-serif"}`; g.textAlign = "center"; g.textBaseline = "middle"; g.fillText(String(n + 1), x + 7.5, y + 8);
};
const paint = (p) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  if (!a.w || !a.h) return;
  sized(p.canvas, a.w, a.h, dpr);
  const g = p.canvas.getContext("2d", { alpha: false });
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  ground(g, a, p); lay(g, ui.flip ? panes[ui.flipTo]?.bitmap || shownOf(p) : shownOf(p), a); around(g, p, a);
};
// Two pictures over each other, the left one up to the divider.
const paintStage = () => {
  const dpr = devicePixelRatio || 1, p = stagePane, a = placeOf(p), [l, r] = [panes[ui.left], panes[ui.right]];
  if (!a.w || !l || !r) return;
  sized(p.canvas, a.w, a.h, dpr);
  const g = p.canvas.getContext("2d", { alpha: false }), x = ui.split * a.w;
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  ground(g, a, r.alpha ? r : l);
  for (const [q, from, to] of ui.flip ? [[r, 0, x], [l, x, a.w]] : [[l, 0, x], [r, x, a.w]]) {
    g.save(); g.beginPath(); g.rect(from, 0, to - from, a.h); g.clip(); lay(g, shownOf(q), a); around(g, q, a); g.restore();
  }
  p.knob.style.left = `${100 * ui.split}%`;
  p.knob.setAttribute("aria-valuenow", Math.round(100 * ui.split));
};
// What is under the pointer, enlarged, in every pane: the picture itself, whatever the pane shows.
const LOUPE = 136, TIMES = 8;
const lens = (p, at) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  sized(p.top, a.w, a.h, dpr);
  const g = p.top.getContext("2d");
  g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, a.w, a.h);
  const of = p === stagePane ? panes[at && at[0] * a.s + a.x < ui.split * a.w ? ui.left : ui.right] : p;
  if (!at || !of?.bitmap) return;
  const x = at[0] * a.s + a.x, y = at[1] * a.s + a.y, scale = Math.max(TIMES, 2 * a.s), r = LOUPE / 2;
  const cx = Math.max(r + 2, Math.min(a.w - r - 2, x)), cy = Math.max(r + 2, Math.min(a.h - r - 2, y));
  g.save(); g.beginPath(); g.arc(cx, cy, r, 0, 7); g.clip();
  g.fillStyle = L.css("--background-fill-secondary") || "#888"; g.fillRect(cx - r, cy - r, LOUPE, LOUPE);
  g.imageSmoothingEnabled = false;
  g.drawImage(of.bitmap, cx - at[0] * scale, cy - at[1] * scale, v.width * scale, v.height * scale);
  g.restore();
  g.beginPath(); g.arc(cx, cy, r, 0, 7); g.lineWidth = 4; g.strokeStyle = "#000a"; g.stroke(); g.lineWidth = 2; g.strokeStyle = "#fff"; g.stroke();
};
const HIST = { w: 256, h: 54 };
const drawHistogram = (p, most) => {
  const c = p.hist; if (!c || !p.bitmap) return;
  sized(c, c.clientWidth || HIST.w, HIST.h, devicePixelRatio || 1);
  const g = c.getContext("2d"), k = c.width / 256, colors = L.dark() ? ["#ff7b7b", "#5fd38d", "#7aa8ff"] : ["#d62828", "#178a4c", "#2563eb"], bins = histogram(p);
  g.clearRect(0, 0, c.width, c.height); g.lineWidth = devicePixelRatio || 1;
  const grey = bins[0].every((x, i) => x === bins[1][i] && x === bins[2][i]);
  for (let b = 0; b < (grey ? 1 : 3); b++) {
    g.strokeStyle = grey ? L.css("--body-text-color") || "#888" : colors[b]; g.beginPath();
    for (let i = 0; i < 256; i++) { const y = c.height * (1 - Math.min(1, bins[b][i] / most)); if (i) g.lineTo((i + 0.5) * k, y); else g.moveTo(0.5 * k, y); }
    g.stroke();
  }
};
const drawHistograms = () => {
  const with_ = panes.filter((p) => p.bitmap && p.hist);
  // a few very frequent values, such as clipped white, must not press all others flat
  const most = Math.max(1e-9, ...with_.flatMap((p) => histogram(p).map((b) => [...b].sort((x, y) => y - x)[4])));
  for (const p of with_) drawHistogram(p, most);
};
