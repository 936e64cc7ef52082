// What the enhancement view knows of pixels: decoding, errors against the reference, colour scales, histograms.
const MODES = ["picture", "ssim", "absolute", "squared", "difference"], CHANNELS = ["all", "r", "g", "b", "y"];
const LUMA = [65.481 / 255, 128.553 / 255, 24.966 / 255]; // BT.601, limited range, as PSNR (Y) has it
// Bright is bad: dark violet to yellow (after inferno); for differences blue to orange over grey, alike in lightness.
const SCALE = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];
const BOTH = [[24, 90, 200], [92, 150, 224], [168, 196, 232], [222, 226, 230], [240, 200, 160], [232, 144, 72], [196, 84, 8]];
const ramp = (stops) => {
  const out = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const x = (i / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(x)), f = x - k;
    for (let c = 0; c < 3; c++) out[3 * i + c] = Math.round(stops[k][c] + f * (stops[k + 1][c] - stops[k][c]));
  }
  return out;
};
const RAMP = { one: ramp(SCALE), two: ramp(BOTH) };
const css = (which) => `linear-gradient(90deg, ${(which === "two" ? BOTH : SCALE).map((c) => `rgb(${c.join(",")})`).join(",")})`;
const decodePng = async (uri) => {
  const raw = atob(uri.slice(uri.indexOf(",") + 1)), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none" });
};
const pixelsOf = (bitmap) => {
  const c = new OffscreenCanvas(bitmap.width, bitmap.height), g = c.getContext("2d", { willReadFrequently: true });
  g.drawImage(bitmap, 0, 0);
  return g.getImageData(0, 0, bitmap.width, bitmap.height).data;
};
// The pixels of a pane, (r, g, b, a) a pixel; of the local SSIM of a model where it has it.
const pixels = (p) => (p.pixels ??= p.bitmap ? pixelsOf(p.bitmap) : null);
const local = (p) => (p.local ??= p.ssim ? pixelsOf(p.ssim) : null);
const sameSize = (p, o) => p && o && p.bitmap && o.bitmap && p.bitmap.width === o.bitmap.width && p.bitmap.height === o.bitmap.height;
const weights = (channel) => ({ all: [1 / 3, 1 / 3, 1 / 3], r: [1, 0, 0], g: [0, 1, 0], b: [0, 0, 1] })[channel];
// The error of a pixel at byte offset i: absolute or squared, of a channel, their mean, or luma.
const errorAt = (a, b, i, channel, squared) => {
  const d = [a[i] - b[i], a[i + 1] - b[i + 1], a[i + 2] - b[i + 2]];
  if (channel === "y") { const e = d[0] * LUMA[0] + d[1] * LUMA[1] + d[2] * LUMA[2]; return squared ? e * e : Math.abs(e); }
  const w = weights(channel);
  return squared ? w[0] * d[0] * d[0] + w[1] * d[1] * d[1] + w[2] * d[2] * d[2] : w[0] * Math.abs(d[0]) + w[1] * Math.abs(d[1]) + w[2] * Math.abs(d[2]);
};
// What a model's pane shows instead of its picture: a function of the pixel's number, or null where it cannot be.
const measure = (p) => {
  if (p.role !== "model" || ui.mode === "picture" || !p.bitmap) return null;
  const ref = panes[v.reference], own = pixels(p);
  if (ui.mode === "ssim") { const s = local(p), w = weights(ui.channel === "y" ? "all" : ui.channel); return s && ((n) => (w[0] * s[4 * n] + w[1] * s[4 * n + 1] + w[2] * s[4 * n + 2]) / 255); }
  if (ui.mode === "difference") {
    const other = panes[ui.other];
    if (!sameSize(p, other) || other === p) return null;
    const theirs = pixels(other);
    if (!sameSize(p, ref)) return (n) => errorAt(own, theirs, 4 * n, ui.channel, false);
    const truth = pixels(ref);
    return (n) => errorAt(own, truth, 4 * n, ui.channel, false) - errorAt(theirs, truth, 4 * n, ui.channel, false);
  }
  if (!sameSize(p, ref)) return null;
  const truth = pixels(ref), squared = ui.mode === "squared";
  return (n) => errorAt(own, truth, 4 * n, ui.channel, squared);
};
const signed = () => ui.mode === "difference" && v.reference !== null;
// Values of a pane's map, kept until the mode, the channel or the other model changes.
const valuesOf = (p) => {
  const key = `${ui.mode} ${ui.channel} ${ui.mode === "difference" ? ui.other : ""}`;
  if (p.valuesKey === key) return p.values;
  const at = measure(p);
  p.valuesKey = key; p.values = null; p.sprite = null;
  if (at) { const n = p.bitmap.width * p.bitmap.height, out = (p.values = new Float32Array(n)); for (let i = 0; i < n; i++) out[i] = at(i); }
  return p.values;
};
// From and to which colours run: chosen, else so that one value in a hundred is beyond, the same for all panes.
const span = () => {
  const bad = ui.mode === "ssim" ? (x) => 1 - x : Math.abs, cap = { ssim: 1, absolute: 255, squared: 255 * 255, difference: 255 }[ui.mode];
  const all = panes.map(valuesOf).filter(Boolean), bins = new Float64Array(4096);
  let total = 0;
  for (const values of all) { const step = Math.max(1, Math.floor(values.length / 200000)); for (let i = 0; i < values.length; i += step) { bins[Math.min(4095, Math.floor(4095 * Math.sqrt(bad(values[i]) / cap)))]++; total++; } }
  let seen = 0, k = 4095;
  for (; k > 0; k--) { seen += bins[k]; if (seen > 0.01 * total) break; }
  const auto = Math.max(((k + 1) / 4095) ** 2 * cap, ui.mode === "ssim" ? 0.02 : 1), top = Math.min(cap, auto * 2 ** ui.gain);
  return ui.mode === "ssim" ? { low: 1, high: 1 - top } : signed() ? { low: -top, high: top } : { low: 0, high: top };
};
const spriteOf = (p) => {
  const values = valuesOf(p);
  if (!values) return null;
  const r = ui.span, key = `${r.low} ${r.high}`;
  if (p.sprite && p.spriteKey === key) return p.sprite;
  const table = signed() ? RAMP.two : RAMP.one, w = p.bitmap.width, h = p.bitmap.height, image = new ImageData(w, h), out = image.data, f = 255 / (r.high - r.low || 1);
  for (let i = 0; i < values.length; i++) { const k = 3 * Math.max(0, Math.min(255, Math.round((values[i] - r.low) * f))), o = 4 * i; out[o] = table[k]; out[o + 1] = table[k + 1]; out[o + 2] = table[k + 2]; out[o + 3] = 255; }
  const c = new OffscreenCanvas(w, h);
  c.getContext("2d").putImageData(image, 0, 0);
  p.spriteKey = key;
  return (p.sprite = c.transferToImageBitmap());
};
const histogram = (p) => {
  if (p.bins) return p.bins;
  const data = pixels(p), bins = [0, 1, 2].map(() => new Float64Array(256));
  for (let i = 0; i < data.length; i += 4) { bins[0][data[i]]++; bins[1][data[i + 1]]++; bins[2][data[i + 2]]++; }
  for (const b of bins) for (let i = 0; i < 256; i++) b[i] /= data.length / 4;
  return (p.bins = bins);
};
