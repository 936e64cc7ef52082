// Gauges of a measurement under way: the newest reading as an arc, the last ones as a line beneath.
const L = window.loupe, root = element.querySelector(".lp-gauge");
const KEPT = 80, FEW = 16, KINDS = [["fps", "ui.prf.gauge.fps", "throughput_vs_batch", "ui.short.best_rate"], ["latency_ms", "ui.prf.gauge.latency", "latency_percentiles", "ui.short.p50"]];
let seen = { fps: [], latency_ms: [] }, most = { fps: 0, latency_ms: 0 }, of = null;
// The next 1, 2 or 5 times a power of ten.
const nice = (x) => { if (!(x > 0)) return 1; const p = 10 ** Math.floor(Math.log10(x)); return [1, 2, 5, 10].map((k) => k * p).find((k) => k >= x * 0.9999); };
const said = (x) => (x === null || x === undefined ? "–" : x >= 1000 ? L.int(Math.round(x)) : String(+Number(x).toPrecision(3)));
const arc = (share) => { const a = Math.PI * (1 - Math.max(0, Math.min(1, share))), x = 60 + 48 * Math.cos(a), y = 58 - 48 * Math.sin(a); return `M12 58A48 48 0 0 1 ${x.toFixed(2)} ${y.toFixed(2)}`; };
// A line as long as the box once there are a few readings.
const spark = (values, top) => (values.length < 2 ? "" : `<polyline points="${values.map((v, i) => `${((120 * i) / (Math.max(FEW, values.length) - 1)).toFixed(1)},${(22 - (20 * v) / top).toFixed(1)}`).join(" ")}"/>`);
// In the end what was found, in the words of the cards; where it was stopped the last reading, said to be one.
const gauge = ([kind, running, found, card], v) => {
  const now = v?.[kind] ?? seen[kind].at(-1) ?? null, top = nice(Math.max(most[kind], now ?? 0));
  const label = v?.ended ? card : running, entry = v?.ended ? found : "live_speed";
  const beneath = v?.ended ? v.name : v?.on || now === null ? "" : L.t("ui.prf.gauge.last");
  return `<figure data-gauge="${kind}" data-value="${now ?? ""}"><svg viewBox="0 0 120 72" role="img" aria-label="${L.esc(`${L.t(label)}: ${said(now)}`)}"><path class="way" d="${arc(1)}"/>${now === null ? "" : `<path class="at" d="${arc(now / top)}"/>`}<text class="n" x="60" y="54">${L.esc(said(now))}</text><text class="e" x="12" y="70">0</text><text class="e" x="106" y="70">${now === null ? "" : L.esc(said(top))}</text></svg><svg class="last" viewBox="0 0 120 24" preserveAspectRatio="none" aria-hidden="true">${spark(seen[kind], top)}</svg><figcaption>${L.esc(L.t(label))}${L.info(entry)}${beneath ? `<small title="${L.esc(beneath)}">${L.esc(beneath)}</small>` : ""}</figcaption></figure>`;
};
const draw = () => {
  const v = props.value;
  root.classList.toggle("off", !v?.on && !v?.ended);
  root.innerHTML = KINDS.map((k) => gauge(k, v)).join("");
};
const take = () => {
  const v = props.value;
  if ((v?.key ?? null) !== of) { of = v?.key ?? null; seen = { fps: [], latency_ms: [] }; most = { fps: 0, latency_ms: 0 }; }
  for (const [kind] of KINDS) if (v?.on && v[kind] !== null && v[kind] !== undefined) { seen[kind] = [...seen[kind], v[kind]].slice(-KEPT); most[kind] = Math.max(most[kind], v[kind]); }
  draw();
};
L.onLook(draw);
watch("value", take);
take();
