// How the enhancement view draws: a pane or the slider's stage, frames and boxes, the loupe and histograms.
const GRID_FROM = 24; // screen pixels a pixel of the picture from which on a grid lies between them
const mappedOf = (p) => ui.mode !== "picture" && p.role === "model" && !!p.values;
// What a pane shows: its map, its picture, or while all are flipped the one to flip to.
const shownOf = (p) => (ui.flip && !stagePane && panes[ui.flipTo]?.bitmap) || (ui.mode !== "picture" && p.role === "model" && spriteOf(p)) || p.bitmap;
// A picture over the shared area: enlarged, its pixels stay squares; made smaller, they are averaged.
const lay = (g, bitmap, a) => {
  if (!bitmap) return;
  g.imageSmoothingEnabled = v.width * a.s * (devicePixelRatio || 1) < bitmap.width;
  g.imageSmoothingQuality = "high";
  g.drawImage(bitmap, a.x, a.y, v.width * a.s, v.height * a.s);
};
// The part of the picture's area that is in sight: left, top, right, bottom.
const seen = (a) => [Math.max(0, a.x), Math.max(0, a.y), Math.min(a.w, a.x + v.width * a.s), Math.min(a.h, a.y + v.height * a.s)];
const ground = (g, a, p) => {
  g.fillStyle = L.css("--background-fill-secondary") || "#888"; g.fillRect(0, 0, a.w, a.h);
  if (!p.alpha) return;
  const [x0, y0, x1, y1] = seen(a);
  for (let y = y0, j = 0; y < y1; y += 8, j++) for (let x = x0, i = 0; x < x1; x += 8, i++) { g.fillStyle = (i + j) % 2 ? "#c8c8c8" : "#f4f4f4"; g.fillRect(x, y, Math.min(8, x1 - x), Math.min(8, y1 - y)); }
};
const mesh = (g, p, a) => {
  const [x0, y0, x1, y1] = seen(a), dx = (v.width / p.bitmap.width) * a.s, dy = (v.height / p.bitmap.height) * a.s;
  if (dx <= GRID_FROM) return;
  g.strokeStyle = "#80808080"; g.lineWidth = 1; g.beginPath();
  for (let k = Math.ceil((x0 - a.x) / dx); a.x + k * dx <= x1; k++) { const x = Math.round(a.x + k * dx) + 0.5; g.moveTo(x, y0); g.lineTo(x, y1); }
  for (let k = Math.ceil((y0 - a.y) / dy); a.y + k * dy <= y1; k++) { const y = Math.round(a.y + k * dy) + 0.5; g.moveTo(x0, y); g.lineTo(x1, y); }
  g.stroke();
};
const box = (g, [x, y, w, h], color, dash, width) => { g.setLineDash([]); g.lineWidth = width + 2; g.strokeStyle = "#000a"; g.strokeRect(x, y, w, h); g.setLineDash(dash); g.lineWidth = width; g.strokeStyle = color; g.strokeRect(x, y, w, h); g.setLineDash([]); };
const mark = (g, r, n, a, on) => {
  const x = a.x + r.x * a.s, y = a.y + r.y * a.s, w = r.w * a.s, h = r.h * a.s, color = on ? "#ffd43b" : "#fff", above = y >= 16;
  if (x > a.w || y > a.h || x + w < 0 || y + h < 0) return;
  box(g, [x, y, w, h], color, [], on ? 2.5 : 1.2);
  g.fillStyle = "#000a"; g.fillRect(x - 2, above ? y - 17 : y - 2, 18, 18);
  g.fillStyle = color; g.fillRect(x - 1, above ? y - 16 : y - 1, 16, 16);
  g.fillStyle = "#111"; g.font = `600 11px ${L.css("--font") || "sans-serif"}`; g.textAlign = "center"; g.textBaseline = "middle"; g.fillText(String(n + 1), x + 7, above ? y - 7.5 : y + 7.5);
};
// Over a picture: the grid between large pixels, what counts, its worst regions, and the one that is meant in all panes.
const around = (g, p, a) => {
  if (p.bitmap) mesh(g, p, a);
  const cut = v.border / v.reduced, meant = regionAt(ui.region), pointed = regionAt(ui.over);
  if (cut > 0 && p.role === "model") box(g, [a.x + cut * a.s, a.y + cut * a.s, (v.width - 2 * cut) * a.s, (v.height - 2 * cut) * a.s], "#fff", [4, 4], 1);
  if (boxed()) (p.regions?.[ui.by] || []).forEach((r, n) => { if (r !== meant && r !== pointed) mark(g, r, n, a, false); });
  if (meant) mark(g, meant, ui.region[1], a, true);
  if (pointed && pointed !== meant) mark(g, pointed, ui.over[1], a, true);
};
const paint = (p) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  if (!a.w || !a.h) return;
  sized(p.canvas, a.w, a.h, dpr);
  const g = p.canvas.getContext("2d", { alpha: false });
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  ground(g, a, p); lay(g, shownOf(p), a); around(g, p, a);
};
// The two sides of the divider; swapped while flipped.
const bothSides = () => (ui.flip ? [ui.right, ui.left] : [ui.left, ui.right]).map((i) => panes[i]);
const paintStage = () => {
  const dpr = devicePixelRatio || 1, p = stagePane, a = placeOf(p), x = ui.split * a.w, [l, r] = bothSides();
  if (!a.w || !l || !r) return;
  sized(p.canvas, a.w, a.h, dpr);
  const g = p.canvas.getContext("2d", { alpha: false });
  g.setTransform(dpr, 0, 0, dpr, 0, 0);
  for (const [o, from, to] of [[l, 0, x], [r, x, a.w]]) {
    g.save(); g.beginPath(); g.rect(from, 0, to - from, a.h); g.clip();
    ground(g, a, o); lay(g, shownOf(o), a); around(g, o, a); g.restore();
  }
  p.knob.style.left = `${100 * ui.split}%`;
  p.knob.setAttribute("aria-valuenow", Math.round(100 * ui.split));
};
// The panes whose pictures are under a place of a canvas: on the slider's stage the side that is pointed at, then the other.
const panesUnder = (p, at) => {
  if (p !== stagePane) return [ui.flip ? panes[ui.flipTo] : p];
  const a = placeOf(p), both = bothSides();
  return at && at[0] * a.s + a.x >= ui.split * a.w ? both.reverse() : both;
};
// What is under the pointer, enlarged: the picture itself, whatever the pane shows. On the stage both, side by side.
const LOUPE = 136, TIMES = 8; // diameter, and screen pixels a pixel
const lens = (p, at) => {
  const dpr = devicePixelRatio || 1, a = placeOf(p);
  if (!at && !p.lensed) return;
  sized(p.top, a.w, a.h, dpr);
  const g = p.top.getContext("2d"), r = LOUPE / 2, clamp = (x, size) => Math.max(r + 2, Math.min(size - r - 2, x));
  g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, a.w, a.h);
  p.lensed = !!at;
  if (!at) return;
  const cx = clamp(at[0] * a.s + a.x, a.w), cy = clamp(at[1] * a.s + a.y, a.h), step = (LOUPE + 6) * (cx + LOUPE + 6 > a.w - r ? -1 : 1);
  panesUnder(p, at).forEach((o, k) => { if (o.bitmap && (!k || a.w > 2 * LOUPE + 10)) glass(g, o, at, cx + k * step, cy, Math.max(TIMES, 2 * a.s)); });
};
const glass = (g, p, at, cx, cy, scale) => {
  const r = LOUPE / 2, x = cx - at[0] * scale, y = cy - at[1] * scale, dx = (scale * v.width) / p.bitmap.width, dy = (scale * v.height) / p.bitmap.height, [px, py] = pixelAt(p, at);
  g.save(); g.beginPath(); g.arc(cx, cy, r, 0, 7); g.clip();
  g.fillStyle = L.css("--background-fill-secondary") || "#888"; g.fillRect(cx - r, cy - r, LOUPE, LOUPE);
  g.imageSmoothingEnabled = false;
  g.drawImage(p.bitmap, x, y, v.width * scale, v.height * scale);
  box(g, [x + px * dx, y + py * dy, dx, dy], "#fff", [], 1); // the very pixel
  g.restore();
  g.beginPath(); g.arc(cx, cy, r, 0, 7); g.lineWidth = 4; g.strokeStyle = "#000a"; g.stroke(); g.lineWidth = 2; g.strokeStyle = "#fff"; g.stroke();
};
const HISTOGRAM = 64; // screen pixels
const drawHistograms = () => {
  const all = panes.filter((p) => p.bitmap && p.hist && !p.hist.hidden);
  // a few very frequent values, such as clipped white, must not press all others flat
  const most = Math.max(1e-9, ...all.flatMap((p) => histogram(p).map((b) => [...b].sort((x, y) => y - x)[4])));
  const colors = L.dark() ? ["#ff8080", "#5fd38d", "#7aa8ff"] : ["#d62828", "#12804a", "#2563eb"], ink = L.css("--body-text-color-subdued") || "#888";
  for (const p of all) {
    const c = p.hist, dpr = devicePixelRatio || 1, w = c.clientWidth, h = HISTOGRAM - 13, bins = histogram(p), grey = [1, 2].every((b) => bins[b].every((x, i) => x === bins[0][i]));
    sized(c, w, HISTOGRAM, dpr);
    const g = c.getContext("2d"), left = 6, k = (w - 2 * left) / 256;
    g.setTransform(dpr, 0, 0, dpr, 0, 0); g.clearRect(0, 0, w, HISTOGRAM);
    g.globalCompositeOperation = "source-over"; g.lineWidth = 1.2;
    for (let b = 0; b < (grey ? 1 : 3); b++) {
      g.strokeStyle = g.fillStyle = grey ? ink : colors[b]; g.beginPath(); g.moveTo(left, h);
      for (let i = 0; i < 256; i++) g.lineTo(left + (i + 0.5) * k, 2 + (h - 2) * (1 - Math.min(1, bins[b][i] / most)));
      g.lineTo(w - left, h); g.stroke(); g.globalAlpha = 0.14; g.fill(); g.globalAlpha = 1;
    }
    g.strokeStyle = ink; g.lineWidth = 0.5; g.beginPath(); g.moveTo(left, h + 0.5); g.lineTo(w - left, h + 0.5); g.stroke();
    g.fillStyle = ink; g.font = `10px ${L.css("--font") || "sans-serif"}`; g.textBaseline = "bottom";
    for (const [value, align] of [[0, "left"], [128, "center"], [255, "right"]]) { g.textAlign = align; g.fillText(String(value), left + (w - 2 * left) * (value / 255), HISTOGRAM - 1); }
    g.textAlign = "left"; g.textBaseline = "top"; g.fillText(`${(100 * most).toPrecision(2)} %`, left + 2, 1);
  }
};
