// Class maps over the picture: a class for every pixel, and what became of every pixel where the truth is known.
// A map arrives as PNG and is decoded once. What is on the screen is made anew, screen pixel by screen pixel, through a
// table of colours (or of patterns, for errors): switching a class costs no more than the pane has pixels.
const CORRECT = 0, MISSED = 1, FALSE = 2, MIXED = 3, SKIPPED = 4, OUTSIDE = 5;
const ERRORS = ["correct", "missed", "false", "mixed", "ignored"];
const NOTHING = 65535; // a pixel that does not count, or has no class in its model's list
const PERIOD = 24; // screen pixels after which all patterns repeat
// Colour, and where the pattern's figure is; the same patterns as on the small pictures.
const ERROR_LOOK = [
  { color: "#35c796", figure: null },
  { color: "#b26bff", figure: (x, y) => (x + y) % 8 < 4 },
  { color: "#ff7043", figure: (x, y) => x % 6 < 3 && y % 6 < 3 },
  { color: "#ffd43b", figure: (x, y) => (x + y) % 8 < 2 || (x - y + PERIOD) % 8 < 2 },
  { color: "#b8bcc6", figure: (x, y) => (x - y + PERIOD) % 12 < 2 },
];
// Twenty colours no two of which look alike (CIEDE2000 of at least 19), then hues a golden angle apart in three tones.
// A class keeps its own in every pane.
const CLASS_COLORS = ["#56b4e9", "#f0a020", "#2fcf9a", "#f0e442", "#e58fc0", "#ff7043", "#5522ff", "#556600", "#aa2244", "#007777", "#995500", "#7777aa", "#999966", "#55ff00", "#cc22aa", "#bbbbff", "#009922", "#55ffff", "#006699", "#ff3366"];
const GOLDEN = 137.508; // degrees
const classColor = (c) => {
  const own = v.colors?.[c] || CLASS_COLORS[c];
  if (own) return own;
  const h = (c * GOLDEN) % 360, l = [0.62, 0.48, 0.74][c % 3], a = 0.62 * Math.min(l, 1 - l);
  const part = (k) => { const x = (k + h / 30) % 12; return Math.round(255 * (l - a * Math.max(-1, Math.min(x - 3, 9 - x, 1)))).toString(16).padStart(2, "0"); };
  return `#${part(0)}${part(8)}${part(4)}`; // HSL to RGB
};
// As a pixel of ImageData: alpha, blue, green, red. ``shade`` darkens.
const packed = (hex, alpha, shade = 1) => {
  const x = parseInt(hex.slice(1), 16), one = (n) => Math.round(shade * (n & 255));
  return ((Math.round(255 * alpha) << 24) | (one(x) << 16) | (one(x >> 8) << 8) | one(x >> 16)) >>> 0;
};

// ---- data ----
// PNG to class numbers: red is the low byte, green the high one where there are more classes than a byte can tell apart.
const decodeIds = async (uri, wide, lut) => {
  const blob = await (await fetch(uri)).blob(), bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const w = bitmap.width, h = bitmap.height, g = new OffscreenCanvas(w, h).getContext("2d", { willReadFrequently: true });
  g.drawImage(bitmap, 0, 0); bitmap.close();
  const rgba = new Uint32Array(g.getImageData(0, 0, w, h).data.buffer), ids = new Uint16Array(rgba.length), mask = wide ? 65535 : 255;
  const to = Uint16Array.from({ length: mask + 1 }, (_, i) => (lut ? (lut[i] ?? NOTHING) : i));
  for (let i = 0; i < ids.length; i++) ids[i] = to[rgba[i] & mask];
  return { ids, w, h };
};
let decoded = new Map(), truthGrid = null, told = null, firstOpacity = null;
const hasTruth = () => !!v?.maps && (!!v.truth || panes.some((p) => p.isTruth && p.map));
const judging = () => ui.mode === "errors" && hasTruth();
const loadMaps = (old, fresh) => {
  const value = v, before = decoded, wanted = JSON.stringify([v.mode, v.focus, v.cell]), known = String(old?.classes) === String(v.classes);
  decoded = new Map(); truthGrid = null;
  const get = (uri, wide, lut, take, fail) => {
    const key = `${wide}|${lut}|${uri}`, have = before.get(key) || decoded.get(key);
    if (have) { decoded.set(key, have); take(have); return; }
    const mine = decoded;
    decodeIds(uri, wide, lut).then((grid) => { if (v === value) { mine.set(key, grid); take(grid); recolour(); } }, () => { if (v === value) fail(); });
  };
  for (const p of panes) {
    p.isTruth = p.title === "ui.cmp.truth";
    if (p.map) get(p.map, p.wide, p.lut, (grid) => { p.grid = grid; if (p.isTruth) truthGrid = grid; }, () => p.view.insertAdjacentHTML("beforeend", `<p class="calm">${L.esc(T("map.broken"))}</p>`));
    if (p.confidence) get(p.confidence, false, null, (grid) => { p.sure = grid; }, () => {}); // without it the rest is still shown
  }
  if (v.truth) get(v.truth, v.wide, v.lut, (grid) => { truthGrid = grid; }, () => {});
  const opacity = v.controls?.opacity;
  if (opacity !== undefined && opacity !== firstOpacity) ui.opacity = firstOpacity = opacity;
  if (fresh) ui.off = atFirst();
  if (wanted !== told || (fresh && v.mode === "errors")) { ui.mode = v.mode || "classes"; ui.focus = v.focus ?? null; ui.cell = v.cell ?? null; } // else what a person chose stays
  else if (!known) ui.focus = ui.cell = null;
  told = wanted; ui.over = null; tables = null;
};
// Background is clear until it is asked for.
const atFirst = () => new Set(v.background === null || v.background === undefined ? [] : [v.background]);
// What became of a pixel of true class t that was answered as f.
const stateOf = (t, f) => {
  if (t === NOTHING) return SKIPPED;
  if (ui.focus !== null) return t === ui.focus ? (f === t ? CORRECT : MISSED) : f === ui.focus ? FALSE : OUTSIDE;
  if (ui.cell) return t !== ui.cell[0] || f !== ui.cell[1] ? OUTSIDE : t === f ? CORRECT : MIXED;
  return t === f ? CORRECT : f === v.background ? MISSED : t === v.background ? FALSE : MIXED;
};
// How many pixels each true class gives to each answered one. Counted once, run by run; every choice draws from it.
const crossed = (truth, ids) => {
  const cells = new Map(), n = ids.length;
  for (let i = 0, start = 0; i < n; start = i) {
    const t = truth[i], f = ids[i];
    while (i < n && truth[i] === t && ids[i] === f) i++;
    const key = t * 65536 + f;
    cells.set(key, (cells.get(key) || 0) + i - start);
  }
  return cells;
};
const judges = (p) => judging() && p.grid && truthGrid && !p.isTruth && p.grid.ids.length === truthGrid.ids.length;
const oftenOf = (p) => {
  p.cells ||= crossed(truthGrid.ids, p.grid.ids);
  const often = [0, 0, 0, 0, 0, 0];
  for (const [key, n] of p.cells) often[stateOf(Math.floor(key / 65536), key % 65536)] += n;
  return often;
};

// ---- drawing ----
let tables = null;
// The colour of every class number at present, inside and at the edge of its regions; and every state's pattern.
const lookUp = () => {
  const fill = new Uint32Array(65536), edge = new Uint32Array(65536), pattern = new Uint32Array((OUTSIDE + 1) * PERIOD * PERIOD), meant = ui.over ?? ui.focus;
  for (let c = 0; c < v.classes.length; c++) {
    if (meant !== c && (judging() ? c === v.background : ui.off.has(c))) continue;
    const part = meant === null || meant === c ? 1 : 0.25; // the others fade
    fill[c] = packed(classColor(c), ui.opacity * part);
    edge[c] = packed(classColor(c), 0.9 * part, 0.45);
  }
  for (let s = 0; s < OUTSIDE; s++) {
    if (ui.quiet.has(s)) continue;
    const { color, figure } = ERROR_LOOK[s], weak = packed(color, (figure ? 0.65 : 0.4) * ui.opacity), strong = packed(color, Math.min(1, 1.7 * ui.opacity));
    for (let y = 0; y < PERIOD; y++) for (let x = 0; x < PERIOD; x++) pattern[(s * PERIOD + y) * PERIOD + x] = figure?.(x, y) ? strong : weak;
  }
  return { fill, edge, pattern };
};
// The column (or row) of the map under each of n screen pixels; -1 beside the picture.
const cellsUnder = (n, dpr, start, scale, size, cells) => {
  const out = new Int32Array(n);
  for (let i = 0; i < n; i++) { const x = ((i + 0.5) / dpr - start) / scale; out[i] = x < 0 || x >= size ? -1 : Math.min(cells - 1, Math.floor((x * cells) / size)); }
  return out;
};
const drawMap = (g, p, a, dpr) => {
  if (!p.grid) return;
  tables ||= lookUp();
  const W = p.canvas.width, H = p.canvas.height, { ids, w, h } = p.grid, columns = cellsUnder(W, dpr, a.x, a.s, v.width, w), rows = cellsUnder(H, dpr, a.y, a.s, v.height, h);
  if (p.pixels?.width !== W || p.pixels.height !== H) { p.pixels = new ImageData(W, H); p.sheet = new OffscreenCanvas(W, H); }
  const out = new Uint32Array(p.pixels.data.buffer), { fill, edge, pattern } = tables, errors = judges(p), truth = truthGrid?.ids, first = columns.findIndex((c) => c >= 0);
  let end = W;
  while (end > 0 && columns[end - 1] < 0) end--;
  out.fill(0);
  const cell = Int32Array.from({ length: W }, (_, X) => Math.floor(X / dpr) % PERIOD); // of a pattern, in CSS pixels
  for (let Y = 0; Y < H && first >= 0; Y++) {
    if (rows[Y] < 0) continue;
    const here = Y * W, line = rows[Y] * w, above = (Y && rows[Y - 1] >= 0 ? rows[Y - 1] : rows[Y]) * w;
    if (errors) {
      const tile = (Math.floor(Y / dpr) % PERIOD) * PERIOD;
      for (let X = first, t = -1, f = -1, look = 0; X < end; X++) {
        const k = line + columns[X];
        if (truth[k] !== t || ids[k] !== f) { t = truth[k]; f = ids[k]; look = stateOf(t, f) * PERIOD * PERIOD + tile; }
        out[here + X] = pattern[look + cell[X]];
      }
    } else if (!ui.outlines) for (let X = first; X < end; X++) out[here + X] = fill[ids[line + columns[X]]];
    else for (let X = first, left = ids[line + columns[first]]; X < end; X++) {
      const c = ids[line + columns[X]], up = ids[above + columns[X]];
      out[here + X] = c !== left ? edge[c] || edge[left] : c !== up ? edge[c] || edge[up] : fill[c];
      left = c;
    }
  }
  p.sheet.getContext("2d").putImageData(p.pixels, 0, 0);
  g.setTransform(1, 0, 0, 1, 0, 0); g.drawImage(p.sheet, 0, 0);
};
const recolour = () => { tables = null; later("main"); counts(); };
