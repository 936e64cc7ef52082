// One picture, large, with every model's top scores and its losses. Opens over the page; Escape or the cross closes it.
const L = window.loupe, root = element.querySelector(".lp-detail");
const mark = L.mark;
const close = () => { root.classList.remove("open"); root.innerHTML = ""; };
const draw = () => {
  const v = props.value;
  if (!v || !v.id) return close();
  root.classList.add("open");
  root.innerHTML = `<div class="sheet" role="dialog" aria-modal="true" aria-label="${L.esc(v.id)}"><div class="top"><b>${L.esc(v.id)}</b><span>${L.esc(L.t("ui.matrix.true"))}: <b>${L.esc(v.truth)}</b></span><span class="nav"><button type="button" data-step="-1" aria-label="${L.esc(L.t("ui.prev"))}">‹</button><button type="button" data-step="1" aria-label="${L.esc(L.t("ui.next"))}">›</button><button type="button" data-close aria-label="${L.esc(L.t("ui.close"))}">✕</button></span></div>
  <div class="two"><div class="pict">${v.image ? `<img src="${L.esc(v.image)}" class="${v.small ? "px" : ""}" alt="${L.esc(v.id)}">` : `<div class="gone">${L.esc(v.missing || L.t("ui.gallery.gone"))}</div>`}<small>${L.esc(v.size || "")}</small></div><div class="side">${v.models.map((m, k) => `<section><h4>${mark(m.at ?? k)} ${L.esc(m.name)} <span class="${m.right ? "ok" : "no"}">${m.right ? "✓ " + L.esc(L.t("ui.right")) : "✗ " + L.esc(L.t("ui.wrong"))}</span></h4>
    <div class="bars">${m.top.map((t) => `<div class="${t.truth ? "truth" : ""}"><span title="${L.esc(t.name)}">${t.truth ? "● " : ""}${L.esc(t.name)}</span><div><s style="width:${100 * t.score}%;background:${t.truth ? "#0f9f6e" : L.colors[(m.at ?? k) % 4]}"></s></div><b>${t.score >= 0.0005 || t.score === 0 ? t.score.toFixed(3) : t.score.toExponential(1)}</b></div>`).join("")}</div>
    <dl>${m.losses.map((x) => `<div><dt>${L.esc(L.name(x.key))}${L.info(x.key)}</dt><dd>${L.num(x.value)}</dd></div>`).join("")}</dl></section>`).join("")}</div></div></div>`;
  root.querySelector("[data-close]").focus({ preventScroll: true });
};
const step = (n) => trigger("select", { index: n, value: { index: props.value.index, step: n }, selected: true });
root.addEventListener("click", (e) => {
  if (e.target === root || e.target.closest("[data-close]")) close();
  const s = e.target.closest("[data-step]"); if (s) step(+s.dataset.step);
});
document.addEventListener("keydown", (e) => {
  if (!root.classList.contains("open")) return;
  if (e.key === "Escape") close(); else if (e.key === "ArrowLeft") step(-1); else if (e.key === "ArrowRight") step(1);
});
L.onLook(() => { if (root.classList.contains("open")) draw(); });
watch("value", draw);
"select";
