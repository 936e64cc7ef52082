// The pictures behind a number: cards with truth and each model's answer, right and wrong told apart by sign and colour; a large view.
const L = window.loupe, root = element.querySelector(".lp-gallery");
root.innerHTML = `<div class="head"></div><div class="grid"></div><button type="button" class="more" hidden></button>`;
const q = (s) => root.querySelector(s);
const draw = () => {
  const v = props.value;
  if (!v || !v.cards) { q(".head").textContent = ""; q(".grid").innerHTML = ""; return; }
  const title = v.title ? L.t(v.title.key, v.title.vars) : "";
  q(".head").innerHTML = `<b>${L.esc(title)}</b> <span class="n" data-count="${v.total}">${L.esc(L.t("ui.images", { n: L.int(v.total) }))}</span>${v.reset ? `<button type="button" class="reset">× ${L.esc(L.t("ui.gallery.all"))}</button>` : ""}${v.note ? `<div class="note">${L.esc(L.t(v.note.key, v.note.vars))}</div>` : ""}`;
  q(".grid").innerHTML = v.cards.map((c, i) => `<button type="button" class="pic" data-i="${i}" data-id="${L.esc(c.id)}" title="${L.esc(c.id)}"><span class="im">${c.thumb ? `<img src="${L.esc(c.thumb)}" alt="${L.esc(c.id)}">` : `<span class="gone">${L.esc(L.t("ui.gallery.gone"))}</span>`}${c.loss === undefined ? "" : `<span class="loss">${L.num(c.loss, 2)}</span>`}</span>
    <span class="t">${L.esc(c.truth)}</span>${c.answers.map((a, k) => `<span class="a ${a.right ? "ok" : "no"}">${c.answers.length > 1 ? `<i style="color:${L.colors[k % 4]}">${L.marks[k % 4]}</i>` : ""}<b>${a.right ? "✓" : "✗"}</b> <span>${L.esc(a.text)}</span>${a.confidence === null ? "" : `<small>${Math.round(100 * a.confidence)}%</small>`}</span>`).join("")}</button>`).join("") || `<div class="none">${L.esc(L.t("ui.gallery.none"))}</div>`;
  q(".more").hidden = v.cards.length >= v.total;
  q(".more").textContent = L.t("ui.gallery.more", { n: L.int(v.total - v.cards.length) });
};
root.addEventListener("click", (e) => {
  const pic = e.target.closest(".pic");
  if (pic) trigger("select", { index: +pic.dataset.i, value: { index: props.value.cards[+pic.dataset.i].index }, selected: true });
  else if (e.target.closest(".reset")) trigger("reset");
  else if (e.target.closest(".more")) trigger("more");
});
L.onLook(draw);
watch("value", draw);
draw();
"select"; "reset"; "more";
