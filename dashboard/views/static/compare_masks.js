// COCO's compressed run lengths to coloured sprites, at the size of the layer that they are laid on.
// Needs nothing of the rest: decoding follows rleFrString of pycocotools' maskApi.c.
const runsOf = (text) => {
  const out = [];
  for (let p = 0; p < text.length; ) {
    let x = 0, k = 0, more = true;
    while (more && p < text.length) {
      const c = text.charCodeAt(p++) - 48;
      x |= (c & 31) << (5 * k++);
      more = (c & 32) !== 0;
      if (!more && c & 16) x |= -1 << (5 * k);
    }
    if (out.length > 2) x += out[out.length - 2];
    out.push(Math.max(0, x));
  }
  return out;
};
// A layer of lw x lh pixels over a picture of W x H: which of its columns and rows see which pixel of the picture.
const layerGrid = (W, H, longest) => {
  const s = Math.min(1, longest / Math.max(W, H)), lw = Math.max(1, Math.round(W * s)), lh = Math.max(1, Math.round(H * s));
  const first = new Int32Array(H + 1), column = new Int32Array(W).fill(-1);
  for (let j = 0; j < lw; j++) column[Math.min(W - 1, Math.floor(((j + 0.5) * W) / lw))] = j;
  for (let y = 0, j = 0; y <= H; y++) { while (j < lh && Math.floor(((j + 0.5) * H) / lh) < y) j++; first[y] = j; }
  return { W, H, lw, lh, first, column, edge: Math.max(lw, lh) > 640 ? 2 : 1 };
};
// One object: its place in the layer and, per pixel, 0 outside, 1 inside, 2 at its edge. null if nothing is left of it.
const decodeMask = (text, grid) => {
  const { W, H, first, column } = grid, spans = [];
  let at = 0, one = false, left = Infinity, right = -1, top = Infinity, bottom = -1;
  for (const run of runsOf(text)) {
    const end = Math.min(at + run, W * H);
    while (one && at < end) {
      const x = Math.floor(at / H), y = at - x * H, stop = Math.min(end, (x + 1) * H), c = column[x], a = first[y], b = first[stop - x * H];
      if (c >= 0 && b > a) { spans.push(c, a, b); if (c < left) left = c; if (c > right) right = c; if (a < top) top = a; if (b > bottom) bottom = b; }
      at = stop;
    }
    at = end; one = !one;
  }
  if (right < 0) return null;
  const w = right - left + 1, h = bottom - top, bits = new Uint8Array(w * h);
  for (let k = 0; k < spans.length; k += 3) for (let y = spans[k + 1] - top; y < spans[k + 2] - top; y++) bits[y * w + spans[k] - left] = 1;
  const e = grid.edge, on = (x, y) => x >= 0 && y >= 0 && x < w && y < h && bits[y * w + x] > 0;
  for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) if (bits[y * w + x] && !(on(x - e, y) && on(x + e, y) && on(x, y - e) && on(x, y + e))) bits[y * w + x] = 2;
  return { x: left, y: top, w, h, bits };
};
// The same in a colour: a translucent inside and a firm edge.
const maskSprite = (mask, color) => {
  const sprite = new OffscreenCanvas(mask.w, mask.h), g = sprite.getContext("2d"), data = g.createImageData(mask.w, mask.h);
  const pixels = new Uint32Array(data.data.buffer), rgb = parseInt(color.slice(1), 16);
  const abgr = ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16), fill = (0x66000000 | abgr) >>> 0, edge = (0xeb000000 | abgr) >>> 0;
  for (let k = 0; k < pixels.length; k++) { const b = mask.bits[k]; if (b) pixels[k] = b === 2 ? edge : fill; }
  g.putImageData(data, 0, 0);
  return sprite.transferToImageBitmap();
};
