// A row of small pictures to choose from; arrows move along it.
const L = window.loupe, root = element.querySelector(".lp-strip");
let on = null;
const draw = () => {
  const v = props.value;
  if (!v || !v.items) { root.innerHTML = ""; return; }
  on = v.on ?? on;
  const keep = root.querySelector("ol")?.scrollLeft ?? 0, focus = root.contains(document.activeElement);
  root.innerHTML = (v.notes || []).map((n) => `<div class="warn">⚠ ${L.esc(n)}</div>`).join("") + `<ol aria-label="${L.esc(L.t("ui.dphotos.strip"))}">${v.items.map((p, k) => `<li><button type="button" data-i="${k}" aria-current="${k === on}" title="${L.esc(p.name)}"><span class="im">${p.thumb ? `<img src="${L.esc(p.thumb)}" alt="">` : `<span class="gone">✗</span>`}</span><span class="t">${L.esc(p.name)}</span><small title="${p.counts ? L.esc(L.t(v.counts || "ui.dphotos.counts", { t: v.at ?? "" })) : ""}">${(p.counts || []).map((n, m) => `<span>${L.mark(m)} ${n === null ? "✗" : L.int(n)}</span>`).join(" ") || (p.error ? L.esc(L.t("ui.dphotos.unread")) : "")}</small></button></li>`).join("")}</ol>`;
  const list = root.querySelector("ol"), now = root.querySelector(`[data-i="${on}"]`);
  list.scrollLeft = keep;
  if (focus) now?.focus({ preventScroll: true });
};
const pick = (i) => {
  on = i;
  root.querySelectorAll("[data-i]").forEach((b) => b.setAttribute("aria-current", +b.dataset.i === i));
  root.querySelector(`[data-i="${i}"]`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  trigger("select", { index: i, value: props.value.items[i].name, selected: true });
};
root.addEventListener("click", (e) => { const b = e.target.closest("[data-i]"); if (b) pick(+b.dataset.i); });
root.addEventListener("keydown", (e) => {
  const b = e.target.closest("[data-i]"), to = { ArrowLeft: -1, ArrowRight: 1 }[e.key];
  const next = b && to && root.querySelector(`[data-i="${+b.dataset.i + to}"]`);
  if (next) { e.preventDefault(); next.focus(); pick(+next.dataset.i); }
});
L.onLook(draw);
watch("value", draw);
draw();
"select";
