// Which run is better: in a sentence each, in a table of runs by metrics, and sample by sample with the tests behind it.
const root = element.querySelector(".lp-decide");
let all = false;
const SIGNS = { better: "✓", worse: "✗", same: "≈", differs: "≠", unknown: "–" };
const TONE = { better: "ok", worse: "no", same: "", differs: "", unknown: "" }; // as everywhere, in light and dark
const plus = (x, d) => (x === null || x === undefined ? L.t("ui.na") : `${x < 0 ? "−" : x > 0 ? "+" : "±"}${Math.abs(x).toFixed(d)}`);
const pvalue = (p) => (p === null || p === undefined ? L.t("ui.na") : p < 0.001 ? "< 0.001" : p > 0.999 ? "1" : p.toFixed(3));
const told = (p) => (p === null || p === undefined ? `p ${L.t("ui.na")}` : p < 0.001 ? "p < 0.001" : `p = ${pvalue(p)}`);
const si = (x) => { for (const [k, n] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) if (x >= 0.9995 * k) return `${+(x / k).toPrecision(3)} ${n}`; return String(x); };
const num = (x, c) => (x === null || !c.whole ? real(x, c) : c.name === "params" ? si(x) : L.int(Math.round(x)));
const real = (x, c) => (x === null ? L.t("ui.na") : c.unit === "/s" || Math.abs(x) >= 1000 ? String(+x.toPrecision(3)) : x.toFixed(c.digits));
const unit = (c) => (c.unit ? ` ${c.unit}` : "");
const names = (v) => v.runs.map((r) => r.name);
const nameOf = (c, said = L.name) => (c.mask ? L.t("ui.vs.mask", { name: said(c.key) }) : said(c.key));
// What a verdict rests on, as far as it is known: the interval, and p.
const because = (d, c, v) => [
  d.low === null ? null : L.t("ui.vs.ends", { low: plus(d.low, c.digits), high: plus(d.high, c.digits) }),
  d.p === null ? null : v.compared > 1 && d.p_holm !== null ? L.t("ui.vs.holm", { p: told(d.p_holm) }) : told(d.p),
  d.split ? L.t("ui.vs.split") : null,
].filter(Boolean).join(L.t("ui.vs.and"));
const head = (v) => {
  const told_of = (c, i) => v.rows.some((r) => r[i].diff), asked = v.columns.findIndex((c, i) => c.name === v.metric && told_of(c, i)), k = asked < 0 ? v.columns.findIndex(told_of) : asked, c = v.columns[k];
  if (k < 0) return "";
  return v.pairs.map((pair) => {
    const d = v.rows[pair.run][k].diff;
    if (!d) return "";
    const vars = { a: names(v)[pair.run], b: names(v)[v.baseline], metric: nameOf(c), d: plus(d.value, c.digits) + unit(c), why: d.why ? L.t(`ui.vs.why.${d.why}`) : because(d, c, v), n: L.int(v.n) };
    const key = d.verdict === "same" ? `ui.vs.head.same.${v.unit}` : `ui.vs.head.${d.verdict}`;
    return `<p class="say ${d.verdict}" data-run="${pair.run}">${mark(pair.run)} <b class="sign ${TONE[d.verdict]}">${SIGNS[d.verdict]}</b> ${L.esc(L.t(key, vars))}</p>`;
  }).join("");
};
const cell = (x, c, v, run) => {
  const between = x.low === null ? "" : `<small title="${L.esc(L.t("ui.vs.interval"))}">${num(x.low, c)} – ${num(x.high, c)}</small>`;
  const star = x.best ? `<em class="best" title="${L.esc(L.t(`ui.vs.best.${x.best}`))}">${x.best === "told" ? "★" : "☆"}</em>` : "";
  const d = x.diff;
  const gap = d && d.value !== null ? `<div class="gap ${d.verdict}" title="${L.esc(d.method)}"><span><b>${plus(d.value, c.digits)}</b>${d.low === null ? "" : ` <small>${plus(d.low, c.digits)} … ${plus(d.high, c.digits)}</small>`}</span><span class="word ${TONE[d.verdict]}">${L.esc(L.t(`ui.vs.word.${d.verdict}`))}</span>${d.p === null ? "" : `<small>${L.esc(told(d.p))}${v.compared > 1 ? ` · Holm ${L.esc(pvalue(d.p_holm))}` : ""}</small>`}${d.why ? `<small class="why">${L.esc(L.t(`ui.vs.why.${d.why}`))}</small>` : ""}${d.split ? `<small class="why" title="${L.esc(L.t("ui.vs.split.how"))}">${L.esc(L.t("ui.vs.split"))}</small>` : ""}</div>` : run === v.baseline && v.rows.some((r) => r[v.columns.indexOf(c)].diff) ? `<div class="gap base">${L.esc(L.t("ui.vs.baseline"))}</div>` : "";
  return `<td data-metric="${L.esc(c.name)}"><div class="val"><b${c.whole && x.value !== null ? ` title="${L.esc(L.int(x.value))}"` : ""}>${num(x.value, c)}${x.value === null ? "" : L.esc(unit(c))}</b>${star}</div>${between}${gap}</td>`;
};
const test = (t, v) => `<span class="test" data-test="${L.esc(t.key)}">${L.esc(L.name(t.key))}${L.info(t.key)} <b>${L.esc(told(t.p))}</b>${v.compared > 1 && t.p !== null ? ` <small>Holm ${L.esc(pvalue(t.p_holm))}</small>` : ""}${t.statistic === null ? "" : ` <small>${L.esc(L.t("ui.vs.statistic"))} ${+t.statistic.toPrecision(4)}</small>`} <em>${t.told === null ? "" : L.esc(L.t(t.told ? "ui.vs.test.yes" : "ui.vs.test.no"))}</em></span>`;
const draw = () => {
  const v = props.value;
  if (!v || !v.rows) { root.innerHTML = ""; return; }
  const shown = v.columns.map((c, i) => i).filter((i) => all || !v.columns[i].more), hidden = v.columns.filter((c) => c.more).length;
  const keep = root.querySelector(".scroll")?.scrollLeft ?? 0;
  root.innerHTML = `<div class="says">${head(v)}</div>${v.notes.map((n) => `<div class="warn">⚠ ${L.esc(n)}</div>`).join("")}
  <div class="scroll"><table><thead><tr><th scope="col">${L.esc(L.t("ui.vs.run"))}</th>${shown.map((i) => { const c = v.columns[i]; return `<th scope="col" data-metric="${L.esc(c.name)}"><span title="${L.esc(nameOf(c))}">${L.esc(nameOf(c, L.short))}</span> ${c.higher === null ? "" : `<small title="${L.esc(L.t(c.higher ? "ui.vs.higher" : "ui.vs.lower"))}">${c.higher ? "↑" : "↓"}</small>`}${L.info(c.key)}${c.recorded ? `<small class="rec" title="${L.esc(L.t("ui.vs.recorded"))}">*</small>` : ""}</th>`; }).join("")}</tr></thead>
  <tbody>${v.runs.map((r, k) => `<tr class="${r.baseline ? "base" : ""}"><th scope="row">${mark(k)} <b title="${L.esc(r.name)}">${L.esc(r.name).replace(/[_+\/·-]/g, "$&<wbr>")}</b><small>${L.esc(r.note)}${r.left ? ` · ${L.esc(L.t("ui.vs.left", { n: L.int(r.left) }))}` : ""}</small>${r.baseline ? `<small class="tag">${L.esc(L.t("ui.vs.baseline"))}</small>` : ""}</th>${shown.map((i) => cell(v.rows[k][i], v.columns[i], v, k)).join("")}</tr>`).join("")}</tbody></table></div>
  <div class="foot">${hidden ? `<button type="button" data-all>${L.esc(L.t(all ? "ui.vs.fewer" : "ui.vs.more", { n: hidden }))}</button>` : ""}<span>${L.esc(L.t(`ui.vs.on.${v.unit}`, { n: L.int(v.n) }))} ${L.esc(v.resamples ? L.t("ui.vs.how", { n: L.int(v.resamples) }) : L.t("ui.vs.how.plain"))}${L.info("vs_difference")} ${L.esc(L.t("ui.vs.stars"))}${L.info("vs_best")}${v.columns.some((c) => c.recorded) ? ` * ${L.esc(L.t("ui.vs.recorded"))}.` : ""}${v.columns.some((c) => c.name === "params") ? ` ${L.esc(L.t("ui.vs.params"))}` : ""}</span></div>
  <h4>${L.esc(L.t("ui.vs.samples", { b: names(v)[v.baseline] }))}${L.info("vs_wins")} <small>${L.esc(L.t("ui.vs.by", { score: L.name(v.score) }))}</small></h4>
  ${v.pairs.map((p) => `<section data-run="${p.run}"><h5>${mark(p.run)} ${L.esc(names(v)[p.run])}</h5>${groups(p.groups, { a: names(v)[p.run], b: names(v)[v.baseline] }, p.run)}<div class="tests">${p.tests.map((t) => test(t, v)).join("")}</div></section>`).join("")}`;
  const box = root.querySelector(".scroll"); if (box) box.scrollLeft = keep;
};
root.addEventListener("click", (e) => {
  const b = e.target.closest("[data-group]");
  if (b) trigger("select", { index: +b.dataset.run, value: { run: +b.dataset.run, group: b.dataset.group }, selected: true });
  else if (e.target.closest("[data-all]")) { all = !all; draw(); }
});
L.onLook(draw);
watch("value", draw);
draw();
"select";
