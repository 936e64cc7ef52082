// A Plotly chart that keeps its node, zoom and theme, and reports clicks.
const L = window.loupe, el = element.querySelector(".lp-chart");
const themed = (l) => {
  const fg = L.css("--body-text-color"), grid = L.css("--border-color-primary"), ax = (o) => ({ gridcolor: grid, zerolinecolor: grid, linecolor: grid, ...(o || {}) });
  const out = { ...l, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true, font: { ...l.font, color: fg, family: L.css("--font"), size: 12 },
    hoverlabel: { bgcolor: L.css("--background-fill-primary"), bordercolor: grid, font: { color: fg } } };
  for (const k of Object.keys(l)) if (/^[xy]axis/.test(k)) out[k] = ax(l[k]);
  out.xaxis = out.xaxis || ax(); out.yaxis = out.yaxis || ax();
  if (out.xaxis.title?.text) out.xaxis = { ...out.xaxis, title: { ...out.xaxis.title, text: said(out.xaxis.title.text) } };
  if (out.yaxis.title?.text) out.yaxis = { ...out.yaxis, title: { ...out.yaxis.title, text: said(out.yaxis.title.text) } };
  return out;
};
const said = (s) => (L.has(s) ? L.t(s) : s);
const words = (t, k) => (Array.isArray(t[k]) ? { [k]: t[k].map((x) => (typeof x === "string" ? said(x) : x)) } : {});
// What the chart is, where its value says so ("explain").
const info = document.createElement("span");
info.className = "lp-chart-info"; el.after(info);
const draw = () => {
  el.style.visibility = props.value ? "visible" : "hidden";
  if (!props.value || !window.Plotly || !el.isConnected) return;
  const f = typeof props.value === "string" ? JSON.parse(props.value) : props.value;
  const data = (f.data || []).map((t) => ({ ...t, name: t.name ? said(t.name) : t.name, ...words(t, "x"), ...words(t, "y"), ...words(t, "text") }));
  const about = f.explain ? L.info(f.explain) : "";
  if (info.innerHTML !== about) info.innerHTML = about;
  Plotly.react(el, data, themed(f.layout || {}), { responsive: true, displaylogo: false, showSendToCloud: false, displayModeBar: false });
  if (el.bound) return;
  el.bound = true;
  el.on("plotly_click", (e) => {
    const p = e.points[0];
    trigger("select", { index: p.pointIndex ?? p.pointNumber, value: { x: p.x, y: p.y, curve: p.curveNumber, data: p.customdata ?? null }, selected: true });
  });
};
// Plotly is large: it is fetched after the first chart's numbers have come and the rest of the page has been drawn.
const show = () => {
  if (window.Plotly) return draw();
  if (!props.value) return;
  L.fetching = L.fetching || new Promise((done) => requestAnimationFrame(() => setTimeout(() => { const s = document.createElement("script"); s.src = L.plotly; s.onload = done; document.head.appendChild(s); })));
  L.fetching.then(draw);
};
watch("value", show);
show();
L.onLook(draw);
new ResizeObserver(() => { if (el._fullLayout && el.offsetParent) Plotly.Plots.resize(el); }).observe(element);
"select";
