// What a job is doing: one bar a run, samples, rate, time left and metrics so far.
const L = window.loupe, root = element.querySelector(".lp-progress");
const time = (s) => (s === null || s === undefined ? "" : s < 90 ? `${Math.ceil(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${(s / 3600).toFixed(1)} h`);
const draw = () => {
  const v = props.value;
  if (!v || !v.steps) { root.innerHTML = ""; return; }
  root.innerHTML = `<div class="state ${L.esc(v.state)}" data-state="${L.esc(v.state)}">${v.error && v.state === "cancelled" ? L.esc(v.error) : L.esc(L.t(`ui.job.${v.state}`)) + (v.error ? ` — ${L.esc(v.error)}` : "")}</div>` + v.steps.map((s) => {
    const p = s.total ? (100 * Math.min(s.total, s.done + s.skipped)) / s.total : 0;
    const live = Object.entries(s.live || {}).map(([k, x]) => `${L.short(k)} ${L.num(x)}`).join(" · ");
    return `<div class="step"><div class="row"><b>${L.esc(s.name)}</b><span>${L.esc(L.t(`ui.stage.${s.stage}`))}</span></div><div class="track" role="progressbar" aria-valuenow="${p.toFixed(0)}" aria-valuemin="0" aria-valuemax="100"><s style="width:${p}%"></s></div><small>${s.total ? `${L.int(s.done)} / ${L.int(s.total)}` : ""}${s.rate && (s.stage === "running" || s.stage === "tracking") ? ` · ${s.rate.toFixed(s.rate < 10 ? 1 : 0)}/s` : ""}${s.left && (s.stage === "running" || s.stage === "tracking") ? ` · ${L.esc(L.t("ui.job.left", { time: time(s.left) }))}` : ""}${s.skipped ? ` · ${L.esc(L.t("ui.job.skipped", { n: s.skipped }))}` : ""}${s.resumed ? ` · ${L.esc(L.t("ui.job.resumed", { n: L.int(s.resumed) }))}` : ""}${live ? ` · ${L.esc(live)}` : ""}</small></div>`;
  }).join("");
};
L.onLook(draw);
watch("value", draw);
draw();
