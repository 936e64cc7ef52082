// What the enhancement view knows of pixels: decoding, errors against the reference, colour scales, histograms.
const CHANNELS = ["all", "r", "g", "b", "y"];
const LUMA = [65.481 / 255, 128.553 / 255, 24.966 / 255]; // BT.601, 16 to 235, as PSNR (Y) has it
// Even steps of lightness, so that equal steps of a value look equal: the colour map inferno of Smith and van der Walt
// (bright is worse), and for differences blue to orange over grey, two hues that colour blindness leaves apart.
const INFERNO = [[0, 0, 4], [22, 11, 57], [66, 10, 104], [106, 23, 110], [147, 38, 103], [188, 55, 84], [221, 81, 58], [243, 120, 25], [252, 165, 10], [246, 215, 70], [252, 255, 164]];
const BOTH = [[10, 62, 152], [48, 108, 190], [126, 166, 218], [190, 207, 228], [229, 229, 229], [240, 203, 166], [230, 156, 88], [190, 98, 20], [126, 62, 0]];
const RAMPS = Object.fromEntries([["one", INFERNO], ["two", BOTH]].map(([name, stops]) => [name, Uint32Array.from({ length: 256 }, (_, i) => {
  const x = (i / 255) * (stops.length - 1), k = Math.min(stops.length - 2, Math.floor(x)), [r, g, b] = stops[k].map((c, n) => Math.round(c + (x - k) * (stops[k + 1][n] - c)));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0; // a pixel of ImageData: alpha, blue, green, red
})]));
const gradient = () => `linear-gradient(90deg, ${(signed() ? BOTH : INFERNO).map((c) => `rgb(${c.join(",")})`).join(",")})`;

// ---- decoding ----
// A PNG of eight bits a channel with alpha, as (r, g, b, a) a pixel. A canvas keeps colours multiplied by alpha and so
// loses digits; here none is lost.
const unpacked = async (bytes) => {
  const at = new DataView(bytes.buffer), w = at.getUint32(16), h = at.getUint32(20), n = bytes[25] === 6 ? 4 : 2, row = w * n, parts = [];
  for (let p = 8; p + 8 < bytes.length; p += at.getUint32(p) + 12) if (at.getUint32(p + 4) === 0x49444154) parts.push(bytes.subarray(p + 8, p + 8 + at.getUint32(p))); // IDAT
  const raw = new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer()), out = new Uint8ClampedArray(4 * w * h);
  let above = new Uint8Array(row);
  for (let y = 0; y < h; y++) {
    const filter = raw[y * (row + 1)], line = raw.subarray(y * (row + 1) + 1, (y + 1) * (row + 1));
    for (let i = 0; filter && i < row; i++) {
      const a = i < n ? 0 : line[i - n], b = above[i], c = i < n ? 0 : above[i - n];
      if (filter < 4) { line[i] += filter === 1 ? a : filter === 2 ? b : (a + b) >> 1; continue; }
      const p = a + b - c, da = Math.abs(p - a), db = Math.abs(p - b), dc = Math.abs(p - c); // Paeth's predictor
      line[i] += da <= db && da <= dc ? a : db <= dc ? b : c;
    }
    for (let x = 0, o = 4 * y * w, i = 0; x < w; x++, o += 4, i += n) { out[o] = line[i]; out[o + 1] = line[n === 4 ? i + 1 : i]; out[o + 2] = line[n === 4 ? i + 2 : i]; out[o + 3] = line[i + n - 1]; }
    above = line;
  }
  return out;
};
const decodePng = async (uri) => {
  const blob = await (await fetch(uri)).blob(), bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const head = new Uint8Array(await blob.slice(0, 33).arrayBuffer()), alpha = head[25] === 4 || head[25] === 6; // the colour type
  const data = alpha && head[24] === 8 && !head[28] ? await unpacked(new Uint8Array(await blob.arrayBuffer())) : null;
  return { blob, bitmap, alpha, data };
};
const pixelsOf = (bitmap) => {
  const g = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  g.drawImage(bitmap, 0, 0);
  return g.getImageData(0, 0, bitmap.width, bitmap.height).data;
};
// The pixels of a pane, (r, g, b, a) a pixel; and the bytes of its local SSIM.
const pixels = (p) => (p.data ??= pixelsOf(p.bitmap));
const local = (p) => (p.local ??= p.ssim ? pixelsOf(p.ssim) : null);
const alike = (p, o) => !!p?.bitmap && !!o?.bitmap && p.bitmap.width === o.bitmap.width && p.bitmap.height === o.bitmap.height;

// ---- maps ----
// What two pictures differ by, a number a pixel: absolute or squared; of a channel, the mean of all, or of luma.
const errors = (a, b, channel, squared) => {
  const n = a.length / 4, out = new Float32Array(n), c = "rgb".indexOf(channel), [wr, wg, wb] = LUMA;
  if (channel === "y") for (let i = 0, o = 0; i < n; i++, o += 4) { const d = wr * (a[o] - b[o]) + wg * (a[o + 1] - b[o + 1]) + wb * (a[o + 2] - b[o + 2]); out[i] = squared ? d * d : Math.abs(d); }
  else if (c >= 0) for (let i = 0, o = c; i < n; i++, o += 4) { const d = a[o] - b[o]; out[i] = squared ? d * d : Math.abs(d); }
  else for (let i = 0, o = 0; i < n; i++, o += 4) { const r = a[o] - b[o], g = a[o + 1] - b[o + 1], d = a[o + 2] - b[o + 2]; out[i] = (squared ? r * r + g * g + d * d : Math.abs(r) + Math.abs(g) + Math.abs(d)) / 3; }
  return out;
};
const localSsim = (bytes, channel) => {
  const n = bytes.length / 4, out = new Float32Array(n), c = "rgb".indexOf(channel);
  for (let i = 0, o = 0; i < n; i++, o += 4) out[i] = (c >= 0 ? bytes[o + c] : (bytes[o] + bytes[o + 1] + bytes[o + 2]) / 3) / 255;
  return out;
};
const signed = () => ui.mode === "difference" && v.reference !== null;
// What a model's pane shows instead of its picture, a number a pixel; null where there is no such map.
const measured = (p) => {
  if (p.role !== "model" || ui.mode === "picture" || !p.bitmap) return null;
  const truth = panes[v.reference], other = panes[ui.other];
  if (ui.mode === "ssim") return p.ssim ? localSsim(local(p), ui.channel) : null;
  if (ui.mode !== "difference") return alike(p, truth) ? errors(pixels(p), pixels(truth), ui.channel, ui.mode === "squared") : null;
  if (other === p || !alike(p, other)) return null;
  if (v.reference === null) return errors(pixels(p), pixels(other), ui.channel, false);
  if (!alike(p, truth)) return null;
  const out = errors(pixels(p), pixels(truth), ui.channel, false), theirs = errors(pixels(other), pixels(truth), ui.channel, false);
  for (let i = 0; i < out.length; i++) out[i] -= theirs[i];
  return out;
};
// The same, kept until something that it rests on changes.
const valuesOf = (p) => {
  const key = [ui.mode, ui.channel, ui.mode === "difference" ? ui.other : "", !!p.bitmap, !!p.ssim, !!panes[v.reference]?.bitmap, !!panes[ui.other]?.bitmap].join(" ");
  if (p.valuesKey !== key) { p.valuesKey = key; p.sprite?.close(); p.sprite = null; p.values = measured(p); }
  return p.values;
};
// From where to where colours run, the same for all panes: one value in a hundred lies beyond, unless a person moves it.
const BINS = 65536, CAPS = { ssim: 1, absolute: 255, squared: 255 * 255, difference: 255 }, LEAST = { ssim: 0.01, absolute: 1, squared: 1, difference: 1 };
const span = () => {
  const cap = CAPS[ui.mode], bins = new Float64Array(BINS), ssim = ui.mode === "ssim";
  let total = 0, seen = 0, k = BINS - 1;
  for (const values of panes.map(valuesOf)) {
    if (!values) continue;
    const step = Math.max(1, Math.floor(values.length / 200000));
    for (let i = 0; i < values.length; i += step) { bins[Math.min(BINS - 1, Math.floor(BINS * Math.sqrt((ssim ? 1 - values[i] : Math.abs(values[i])) / cap)))]++; total++; }
  }
  while (k > 0 && (seen += bins[k]) <= 0.01 * total) k--;
  const top = Math.min(cap, Math.max(((k + 1) / BINS) ** 2 * cap, LEAST[ui.mode]) * 2 ** ui.gain);
  return ssim ? { low: 1, high: 1 - top } : { low: signed() ? -top : 0, high: top };
};
// A pane's map in colours.
const spriteOf = (p) => {
  const values = valuesOf(p), { low, high } = ui.span, key = `${low} ${high}`;
  if (!values || (p.sprite && p.spriteKey === key)) return values ? p.sprite : null;
  const table = signed() ? RAMPS.two : RAMPS.one, { width, height } = p.bitmap, image = new ImageData(width, height), out = new Uint32Array(image.data.buffer), f = 255 / (high - low);
  for (let i = 0; i < out.length; i++) out[i] = table[Math.max(0, Math.min(255, Math.round((values[i] - low) * f)))];
  const c = new OffscreenCanvas(width, height);
  c.getContext("2d").putImageData(image, 0, 0);
  p.sprite?.close(); p.spriteKey = key;
  return (p.sprite = c.transferToImageBitmap());
};
// What share of the pixels has each value, of red, green and blue.
const histogram = (p) => {
  if (p.bins) return p.bins;
  const data = pixels(p), bins = [0, 1, 2].map(() => new Float64Array(256)), one = 4 / data.length;
  for (let i = 0; i < data.length; i += 4) { bins[0][data[i]] += one; bins[1][data[i + 1]] += one; bins[2][data[i + 2]] += one; }
  return (p.bins = bins);
};
