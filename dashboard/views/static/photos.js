// Models side by side on a person's own photos: top-5 each, agreement and disagreement marked, latency beside each.
const L = window.loupe, root = element.querySelector(".lp-photos");
const draw = () => {
  const v = props.value;
  if (!v || !v.photos) { root.innerHTML = ""; return; }
  root.innerHTML = (v.notes || []).map((n) => `<div class="warn">⚠ ${L.esc(n)}</div>`).join("") + v.photos.map((p) => `<article data-photo="${L.esc(p.name)}"><div class="pict">${p.thumb ? `<img src="${L.esc(p.thumb)}" alt="${L.esc(p.name)}">` : `<div class="gone">✗</div>`}<small title="${L.esc(p.name)}">${L.esc(p.name)}</small>${p.error ? `<div class="warn">${L.esc(p.error)}</div>` : p.models.length > 1 ? `<div class="verdict ${p.agree ? "ok" : "no"}">${p.agree ? "＝ " + L.esc(L.t("ui.photos.agree")) : "≠ " + L.esc(L.t("ui.photos.disagree"))}</div>` : ""}</div>
  <div class="models">${p.models.map((m, k) => `<section><h4>${L.mark(k)} ${L.esc(m.name)} <small title="${L.esc(L.t("ui.photos.stages", { pre: m.stages[0].toFixed(1), fwd: m.stages[1].toFixed(1), post: m.stages[2].toFixed(1) }))}">${m.ms.toFixed(1)} ms${L.info("latency")}</small></h4><div class="bars">${m.top.map((t) => `<div class="${t.shared ? "shared" : ""}"><span title="${L.esc(t.name)}">${L.esc(t.name)}</span><div><s style="width:${100 * t.score}%;background:${L.colors[k % 4]}"></s></div><b>${(100 * t.score).toFixed(1)}%</b></div>`).join("")}</div></section>`).join("")}</div></article>`).join("");
};
L.onLook(draw);
watch("value", draw);
draw();
